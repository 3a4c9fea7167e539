/**
 * What the counting handler says of each of its executions, as a line on the worker's standard output.
 *
 * A line is written with one write before the handler returns, so that nothing a worker did is unknown after its death.
 */

export interface Execution {
  /** Of the event. */
  index: number
  step: number
  invocationId: string
  /** When it was done, in milliseconds of Unix time, with fractions. */
  atMs: number
}

const MARK = '#execution'

export function executionLine({ index, step, invocationId, atMs }: Execution): string {
  return `${MARK} ${index} ${step} ${invocationId} ${atMs.toFixed(3)}\n`
}

/** Undefined: the line is something else (a log's). */
export function executionOf(line: string): Execution | undefined {
  const [mark, index, step, invocationId, atMs] = line.split(' ')
  if (mark !== MARK || invocationId === undefined || atMs === undefined) return undefined
  return { index: Number(index), step: Number(step), invocationId, atMs: Number(atMs) }
}
