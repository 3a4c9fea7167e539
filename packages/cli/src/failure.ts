/** Why a command did not succeed, and how that is told: in words, or as one line of JSON; the exit code comes with it. */
import type { FieldError, Problem } from '@signalbox/contracts'
import { summarise } from '@signalbox/kit'
import { EXIT } from './exit-codes.ts'
import { printable } from './printable.ts'
import { UsageError } from './usage-error.ts'

const MAX_FAULTS_SHOWN = 20

/** A file, or what came over stdin, is not what it should be. Nothing was sent. */
export class InputError extends Error {
  override name = 'InputError'
  readonly faults: readonly FieldError[]

  constructor(message: string, faults: readonly FieldError[] = []) {
    super(message)
    this.faults = faults
  }
}

/** Signalbox said no. `what` names the thing when the command is about several. */
export class RefusedError extends Error {
  override name = 'RefusedError'
  readonly problem: Problem

  constructor(problem: Problem, what?: string) {
    super(`${what === undefined ? '' : `${what}: `}${headOf(problem)}`)
    this.problem = problem
  }
}

/** Signalbox is not there, or says that it cannot do it now. */
export class UnreachableError extends Error {
  override name = 'UnreachableError'
  readonly problem: Problem | undefined

  constructor(message: string, { problem, cause }: { problem?: Problem; cause?: unknown } = {}) {
    super(message, { cause })
    this.problem = problem
  }
}

const HINTS: Readonly<Record<number, string>> = {
  401: 'Check --api-key or SIGNALBOX_API_KEY.',
  403: 'Give a key of this account that may do it, or another --account.',
}

export interface TellOptions {
  /** As it was called: `chains apply`. Empty: none was named. */
  command: string
  asJson: boolean
  stderr: { write(text: string): unknown }
}

/** Writes what is wrong and what to do, and gives the exit code. */
export function tellFailure(error: unknown, { command, asJson, stderr }: TellOptions): number {
  const code = exitCodeOf(error)
  if (asJson) stderr.write(`${JSON.stringify({ error: documentOf(error), exit_code: code })}\n`)
  else stderr.write(`${textOf(error, command)}\n`)
  return code
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof InputError) return EXIT.misuse
  if (error instanceof RefusedError) return EXIT.refused
  return error instanceof UnreachableError ? EXIT.unreachable : EXIT.failed
}

function documentOf(error: unknown): object {
  const message = messageOf(error)
  if (error instanceof RefusedError) return { message, ...error.problem }
  if (error instanceof UnreachableError) return { message, retryable: true, ...error.problem }
  if (error instanceof InputError && error.faults.length > 0) {
    return { message, errors: error.faults }
  }
  return { message }
}

function textOf(error: unknown, command: string): string {
  const lines = messageOf(error).split('\n')
  if (error instanceof RefusedError) {
    const { status, errors = [] } = error.problem
    lines.push(...faultLines(errors), ...(HINTS[status] === undefined ? [] : [HINTS[status]]))
  }
  if (error instanceof InputError) lines.push(...faultLines(error.faults))
  if (error instanceof UsageError) {
    lines.push('', `signalbox ${command === '' ? '' : `${command} `}--help says what there is.`)
  }
  return lines.map(printable).join('\n')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function faultLines(faults: readonly FieldError[]): string[] {
  const shown = faults
    .slice(0, MAX_FAULTS_SHOWN)
    .map(({ path, message }) => `  ${path === '' ? '' : `${path}: `}${message}`)
  const rest = faults.length - shown.length
  return rest > 0 ? [...shown, `  and ${rest} more`] : shown
}

/** The detail without the faults that it sums up: they follow, one per line. */
function headOf({ detail, title, code, status, errors = [] }: Problem): string {
  const text = detail ?? title
  const summary = `: ${summarise(errors)}`
  const head = errors.length > 0 && text.endsWith(summary) ? text.slice(0, -summary.length) : text
  return `${head} (${code}, ${status})`
}
