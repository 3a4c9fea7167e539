/** From a zod issue to the field errors that a person reads. */
import type { FieldError } from '@signalbox/contracts'
import type { z } from 'zod'
import { type ErrorCode, InvalidInputError } from './errors.ts'

/** `['steps', 1, 'config', 'to']` reads `steps[1].config.to`; the whole reads as an empty string. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === 'number') return `${text}[${segment}]`
    return text === '' ? String(segment) : `${text}.${String(segment)}`
  }, '')
}

/** Flattens unions to the branch that came nearest (fewest issues), so that the message names the real fault. */
export function fieldErrorsOf(error: z.ZodError): FieldError[] {
  return error.issues.flatMap((issue) => flatten(issue, []))
}

type Issue = z.core.$ZodIssue

function flatten(issue: Issue, base: readonly PropertyKey[]): FieldError[] {
  const path = [...base, ...issue.path]
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const nearest = issue.errors.reduce((best, branch) =>
      depthOf(branch) > depthOf(best) ? branch : best,
    )
    return nearest.flatMap((nested) => flatten(nested, path))
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: formatPath([...path, key]),
      message: 'is not a known field',
    }))
  }
  return [{ path: formatPath(path), message: isAbsent(issue) ? 'is required' : issue.message }]
}

/** n.b. An issue does not carry its input, so only zod's own message tells a field that is absent from one of a wrong type. */
function isAbsent(issue: Issue): boolean {
  return issue.code === 'invalid_type' && issue.message.endsWith('received undefined')
}

/** A branch whose issues lie deeper got further into the value; among equals the one with fewer issues did. */
function depthOf(issues: readonly Issue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length)) - issues.length / 1_000
}

/** Parses or throws `InvalidInputError` with the field errors. `what` names the thing: `event`, `chain`. */
export function parseInput<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
  code: ErrorCode = 'SB_INVALID_INPUT',
): z.output<Schema> {
  const outcome = schema.safeParse(value)
  if (outcome.success) return outcome.data
  const details = fieldErrorsOf(outcome.error)
  throw new InvalidInputError(`${what} is not valid: ${summarise(details)}`, {
    code,
    details,
    cause: outcome.error,
  })
}

export function summarise(details: readonly FieldError[]): string {
  const shown = details
    .slice(0, 5)
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
  const rest = details.length - shown.length
  return rest > 0 ? `${shown.join('; ')}; and ${rest} more` : shown.join('; ')
}
