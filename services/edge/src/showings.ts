/**
 * What an event's biography is told of its showing: how many sockets of this edge it reached.
 *
 * Noting costs a counter; what was noted is recorded once a second, in batches, beside the delivery and not in its way. While the store
 * is away what can be kept is kept, up to a bound; the rest is dropped, and counted.
 */
import type { BiographyFact } from '@signalbox/contracts'
import { backoffDelayMs, delay, type Log } from '@signalbox/kit'
import type { BiographyEntry, BiographyStore } from '@signalbox/store'
import type { EdgeMetrics } from './metrics.ts'

const INTERVAL_MS = 1_000
/** Events that wait to be recorded. */
const MAX_WAITING = 10_000
/** Facts that one event gets from this edge: who resumes again and again must not fill its biography. */
const MAX_FACTS = 10
/** Events whose facts are counted, the latest. */
const MAX_COUNTED = 20_000
/** Events in one record. */
const BATCH = 500

export interface ShowingsOptions {
  /** Names this edge in the biography. */
  edgeId: string
}

export interface ShowingsDeps {
  biographies: Pick<BiographyStore, 'record'>
  log: Log
  metrics: Pick<EdgeMetrics, 'unrecorded'>
}

/** What was shown; messages are. */
export interface Shown {
  readonly accountKey: string
  readonly eventId: string
}

/** Disposing it records what waits, if the store takes it at once. */
export interface Showings extends AsyncDisposable {
  /** It has gone out to one more socket. */
  note(shown: Shown): void
}

interface Showing {
  accountKey: string
  eventId: string
  sockets: number
}

export function startShowings(
  { edgeId }: ShowingsOptions,
  { biographies, log, metrics }: ShowingsDeps,
): Showings {
  const closing = new AbortController()
  const factCounts = new Map<string, number>()
  let waiting = new Map<string, Showing>()
  /** A fan-out notes the same message again and again. */
  let last: { shown: Shown; showing: Showing | undefined } | undefined
  let recording: Promise<void> = Promise.resolve()
  let isRecording = false

  const timer = setInterval(() => {
    if (!isRecording && waiting.size > 0) recording = record()
  }, INTERVAL_MS)

  function showingOf({ accountKey, eventId }: Shown): Showing | undefined {
    const key = `${accountKey} ${eventId}`
    const known = waiting.get(key)
    if (known) return known
    if (waiting.size >= MAX_WAITING) return undefined
    const showing = { accountKey, eventId, sockets: 0 }
    waiting.set(key, showing)
    return showing
  }

  async function record(): Promise<void> {
    isRecording = true
    const entries = take()
    for (let from = 0; from < entries.length; from += BATCH) {
      await keep(entries.slice(from, from + BATCH))
    }
    isRecording = false
  }

  function take(): BiographyEntry[] {
    const at = new Date().toISOString()
    const showings = [...waiting].filter(([key]) => countFact(key) <= MAX_FACTS)
    waiting = new Map()
    last = undefined
    return showings.map(([, { accountKey, eventId, sockets }]) => {
      const shown: BiographyFact = { fact: 'shown', at, edge: edgeId, sockets }
      return { accountKey, eventId, facts: [shown] }
    })
  }

  function countFact(key: string): number {
    const count = (factCounts.get(key) ?? 0) + 1
    factCounts.set(key, count)
    const [oldest] = factCounts.keys()
    if (factCounts.size > MAX_COUNTED && oldest !== undefined) factCounts.delete(oldest)
    return count
  }

  async function keep(entries: readonly BiographyEntry[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await biographies.record(entries)
      } catch (error) {
        log.debug({ err: error }, 'showings.record_failed')
        if (closing.signal.aborted) return metrics.unrecorded.inc(entries.length)
        await delay(backoffDelayMs(attempt), closing.signal)
      }
    }
  }

  return {
    note(shown) {
      if (last?.shown !== shown) last = { shown, showing: showingOf(shown) }
      if (last.showing) last.showing.sockets++
      else metrics.unrecorded.inc()
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      closing.abort()
      await recording
      await record()
    },
  }
}
