/**
 * Faults: what is done on purpose, to whom, when, and for how long.
 *
 *   <verb> <target> at <time> for <time>        "kill rabbitmq at 10s for 5s"
 *
 * | verb    | does                                             | after the time          |
 * | ------- | ------------------------------------------------ | ----------------------- |
 * | `kill`  | SIGKILL: dies without a word                     | starts it again         |
 * | `stop`  | SIGTERM: ends in order                           | starts it again         |
 * | `pause` | SIGSTOP: is there, connected, and does nothing   | SIGCONT: goes on        |
 */
import { UsageError } from '../usage-error.ts'
import { DURATION_FORM, durationMsOf } from './duration.ts'

export const FAULT_VERBS = ['kill', 'stop', 'pause'] as const
export const FAULT_TARGETS = ['rabbitmq', 'redis', 'dispatcher', 'worker', 'edge'] as const

export type FaultVerb = (typeof FAULT_VERBS)[number]
export type FaultTarget = (typeof FAULT_TARGETS)[number]

export interface Fault {
  verb: FaultVerb
  target: FaultTarget
  /** From the start of the load. */
  atMs: number
  forMs: number
}

const MAX_FAULT_MS = 10 * 60_000
const FORM = '"<verb> <target> at <time> for <time>", such as "kill rabbitmq at 10s for 5s"'

/** Throws `UsageError` naming the part that is wrong. */
export function faultOf(text: string): Fault {
  const words = text.trim().split(/\s+/)
  const [verb, target, at, atTime, during, forTime] = words
  if (words.length !== 6 || at !== 'at' || during !== 'for') {
    throw new UsageError(`--fault "${text}" must read ${FORM}`)
  }
  const fault = {
    verb: oneOf(text, 'verb', FAULT_VERBS, verb),
    target: oneOf(text, 'target', FAULT_TARGETS, target),
    atMs: timeOf(text, 'at', atTime),
    forMs: timeOf(text, 'for', forTime),
  }
  if (fault.forMs > 0 && fault.forMs <= MAX_FAULT_MS) return fault
  throw new UsageError(
    `--fault "${text}": the time after "for" must be more than 0 and at most 10m`,
  )
}

/** `kill rabbitmq at 10s for 5s`, as it would be written. */
export function faultText({ verb, target, atMs, forMs }: Fault): string {
  return `${verb} ${target} at ${atMs / 1_000}s for ${forMs / 1_000}s`
}

/** Throws `UsageError` when a fault begins after the load has ended, or while another one of the same target lasts. */
export function requireInTurn(faults: readonly Fault[], durationMs: number): void {
  const inOrder = faults.toSorted((a, b) => a.atMs - b.atMs)
  for (const [index, fault] of inOrder.entries()) {
    if (fault.atMs >= durationMs) {
      throw new UsageError(
        `--fault "${faultText(fault)}" begins after the load has ended (--duration ${durationMs / 1_000}s)`,
      )
    }
    const next = inOrder.slice(index + 1).find(({ target }) => target === fault.target)
    if (next && next.atMs < fault.atMs + fault.forMs) {
      throw new UsageError(
        `--fault "${faultText(next)}" begins before "${faultText(fault)}" is over`,
      )
    }
  }
}

function oneOf<Word extends string>(
  text: string,
  part: string,
  words: readonly Word[],
  word: string | undefined,
): Word {
  const found = words.find((known) => known === word)
  if (found !== undefined) return found
  throw new UsageError(
    `--fault "${text}": the ${part} must be one of ${words.join(', ')}, not "${word}"`,
  )
}

function timeOf(text: string, part: string, time: string | undefined): number {
  const ms = durationMsOf(time ?? '')
  if (ms !== undefined) return ms
  throw new UsageError(`--fault "${text}": after "${part}" comes ${DURATION_FORM}, not "${time}"`)
}
