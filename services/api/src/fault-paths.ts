/** Faults of a part of a body, named as faults of the whole. */
import type { FieldError } from '@signalbox/contracts'
import { InvalidInputError } from '@signalbox/kit'

/** The fault as one of the part of the body that `base` is. */
export function below(base: string, { path, message }: FieldError): FieldError {
  return { path: base === '' || path === '' ? base + path : `${base}.${path}`, message }
}

/** An `InvalidInputError` about the part that `path` is, as one about the whole; any other error as it is. */
export function within(path: string, error: unknown): unknown {
  if (!(error instanceof InvalidInputError)) return error
  const details = error.details.map((fault) => below(path, fault))
  return new InvalidInputError(error.message, { code: error.code, details, cause: error })
}
