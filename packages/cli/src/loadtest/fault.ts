/**
 * Faults: what is done on purpose, to whom, when, and for how long.
 *
 *   <verb> <target> at <time> for <time>                        "kill rabbitmq at 10s for 5s"
 *   <verb> <target>,… every <time> [from <time>] for <time>     "kill rabbitmq,worker every 20s for 5s"
 *
 * | verb    | does                                             | after the time          |
 * | ------- | ------------------------------------------------ | ----------------------- |
 * | `kill`  | SIGKILL: dies without a word                     | starts it again         |
 * | `stop`  | SIGTERM: ends in order                           | starts it again         |
 * | `pause` | SIGSTOP: is there, connected, and does nothing   | SIGCONT: goes on        |
 *
 * A target is a name, whose instances take turns, or one instance of it (`rabbitmq:2`, from 1). What is done `every` so often is done
 * until the load ends, first at `from` or else after one such time, to its targets in turn.
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
  /** Which one of the target's, from 1; absent: each such fault takes the next. */
  instance?: number
  /** From the start of the load. */
  atMs: number
  forMs: number
}

const MAX_FAULT_MS = 10 * 60_000
const MIN_EVERY_MS = 1_000
/** Of one run. */
const MAX_FAULTS = 1_000
const FORM =
  '"<verb> <target> at <time> for <time>" or "<verb> <target>,… every <time> [from <time>] for <time>", such as "kill rabbitmq at 10s for 5s"'
const WORDS =
  /^(?<verb>\S+) (?<targets>\S+) (?:at (?<at>\S+)|every (?<every>\S+)(?: from (?<from>\S+))?) for (?<during>\S+)$/

/** Every single fault that the texts ask for. Throws `UsageError` naming the part that is wrong, or two that do not go together. */
export function faultsOf(texts: readonly string[], durationMs: number): Fault[] {
  const faults = texts.flatMap((text) => singleFaults(text, durationMs))
  if (faults.length > MAX_FAULTS) {
    throw new UsageError(`--fault asks for ${faults.length} faults; at most ${MAX_FAULTS} are done`)
  }
  requireInTurn(faults, durationMs)
  return faults
}

/** `kill rabbitmq at 10s for 5s`, as it would be written. */
export function faultText({ verb, target, instance, atMs, forMs }: Fault): string {
  const victim = instance === undefined ? target : `${target}:${instance}`
  return `${verb} ${victim} at ${atMs / 1_000}s for ${forMs / 1_000}s`
}

/** Throws `UsageError` when a fault is for an instance that there is not. */
export function requireInstances(
  faults: readonly Fault[],
  counts: Readonly<Record<FaultTarget, number>>,
): void {
  for (const fault of faults) {
    const count = counts[fault.target]
    if (fault.instance === undefined || fault.instance <= count) continue
    throw new UsageError(
      `--fault "${faultText(fault)}": there is no more than ${count} ${fault.target}`,
    )
  }
}

function singleFaults(text: string, durationMs: number): Fault[] {
  const words = WORDS.exec(text.trim().replace(/\s+/g, ' '))?.groups
  if (!words) throw new UsageError(`--fault "${text}" must read ${FORM}`)
  const verb = oneOf(text, 'verb', FAULT_VERBS, words.verb)
  const victims = (words.targets ?? '').split(',').map((word) => victimOf(text, word))
  const forMs = timeOf(text, 'for', words.during)
  if (forMs <= 0 || forMs > MAX_FAULT_MS) {
    throw new UsageError(
      `--fault "${text}": the time after "for" must be more than 0 and at most 10m`,
    )
  }
  return timesOf(text, words, durationMs).map((atMs, index) => ({
    verb,
    ...victims[index % victims.length]!,
    atMs,
    forMs,
  }))
}

/** When, from the start of the load. */
function timesOf(
  text: string,
  { targets, at, every, from }: Record<string, string | undefined>,
  durationMs: number,
): number[] {
  if (every === undefined) {
    if (!targets?.includes(',')) return [timeOf(text, 'at', at)]
    throw new UsageError(`--fault "${text}": several targets take turns with "every" only`)
  }
  const everyMs = timeOf(text, 'every', every)
  if (everyMs < MIN_EVERY_MS) {
    throw new UsageError(`--fault "${text}": the time after "every" must be at least 1s`)
  }
  const firstMs = from === undefined ? everyMs : timeOf(text, 'from', from)
  const count = Math.max(1, Math.ceil((durationMs - firstMs) / everyMs))
  return Array.from({ length: count }, (_, index) => firstMs + index * everyMs)
}

function victimOf(text: string, word: string): Pick<Fault, 'target' | 'instance'> {
  const [name, ...numbers] = word.split(':')
  const target = oneOf(text, 'target', FAULT_TARGETS, name)
  const [number] = numbers
  if (number === undefined) return { target }
  if (numbers.length === 1 && /^[1-9]\d?$/.test(number)) return { target, instance: Number(number) }
  throw new UsageError(
    `--fault "${text}": after "${target}:" comes its number from 1, not "${word.slice(target.length + 1)}"`,
  )
}

/** Throws `UsageError` when a fault begins after the load has ended, or while another one of the same target lasts. */
function requireInTurn(faults: readonly Fault[], durationMs: number): void {
  const inOrder = faults.toSorted((a, b) => a.atMs - b.atMs)
  for (const [index, fault] of inOrder.entries()) {
    if (fault.atMs >= durationMs) {
      throw new UsageError(
        `--fault "${faultText(fault)}" begins after the load has ended (--duration ${durationMs / 1_000}s)`,
      )
    }
    const next = inOrder.slice(index + 1).find((other) => mayBeSame(other, fault))
    if (next && next.atMs < fault.atMs + fault.forMs) {
      throw new UsageError(
        `--fault "${faultText(next)}" begins before "${faultText(fault)}" is over`,
      )
    }
  }
}

/** Two that are named apart may be down together: so a cluster loses its majority. */
function mayBeSame(one: Fault, other: Fault): boolean {
  if (one.target !== other.target) return false
  const isOpen = one.instance === undefined || other.instance === undefined
  return isOpen || one.instance === other.instance
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
