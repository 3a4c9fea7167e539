/**
 * Publishing what sessions announce: in order, at least once, under identities that make a repetition the same event.
 *
 * A change wakes the outbox of its session at once. What that misses (the broker was away, the process died) the
 * regular scan of the pending marks finds.
 *
 * Two processes may publish the same outbox at once. Whoever publishes an event has had every earlier one of its session
 * confirmed, by itself or by whoever took it out, so that first arrivals are in order whatever is repeated.
 */
import type { EventInput } from '@signalbox/contracts'
import { createRepeatedFailures, type Log } from '@signalbox/kit'
import type { Session } from './session.ts'
import type { OutboxEntry, PendingMark, SessionRecord, SessionStore } from './session-store.ts'

/** Sessions being published at once; the scan takes what is beyond. */
const MAX_SESSIONS_IN_FLIGHT = 500
const SCAN_PAGE = 200
/** A younger mark is probably in the hands of whoever made it. */
const SCAN_MIN_AGE_MS = 1_000

export const CONVERSATION_TYPE = 'poll'

export interface OutboxDeps {
  sessions: Pick<SessionStore, 'read' | 'takeOut' | 'pendingMarks' | 'settle'>
  /** Resolves when the broker has confirmed. */
  source: { publishEvent(event: EventInput, options: { patienceMs: number }): Promise<unknown> }
  /** As the broker's: nothing is tried while it is away. */
  unavailableReason: () => string | undefined
  log: Log
}

export type Outbox = ReturnType<typeof createOutbox>

export function createOutbox(
  { accountKey }: { accountKey: string },
  { sessions, source, unavailableReason, log }: OutboxDeps,
) {
  const inFlight = new Map<string, Promise<void>>()
  const tellFailure = createRepeatedFailures(log, { level: 'warn' })

  const publishAll = async (recordKey: string, { session, outbox }: SessionRecord) => {
    for (const entry of outbox) {
      // No patience: the scan is, and a session must not hold its place while the broker is away.
      await source.publishEvent(eventOf(accountKey, session, entry), { patienceMs: 0 })
    }
    const last = outbox.at(-1)
    if (last) await sessions.takeOut(recordKey, last.sequence)
  }

  const publish = async (pending: PendingMark): Promise<void> => {
    const record = await sessions.read(pending.record_key)
    if (record) await publishAll(pending.record_key, record)
    await sessions.settle(pending, record)
  }

  /** One after the other for each session; failures are logged and left to the next scan. */
  const enqueue = (pending: PendingMark): Promise<void> => {
    const key = pending.record_key
    const done = (inFlight.get(key) ?? Promise.resolve())
      .then(() => publish(pending))
      .catch((err: unknown) =>
        tellFailure('publish', { err, recordKey: key }, 'outbox.publish_failed'),
      )
      .finally(() => {
        if (inFlight.get(key) === done) inFlight.delete(key)
      })
    inFlight.set(key, done)
    return done
  }

  return {
    /** Publishes soon, without being waited for. */
    wake(pending: PendingMark): void {
      if (inFlight.size >= MAX_SESSIONS_IN_FLIGHT || unavailableReason() !== undefined) return
      void enqueue(pending)
    },

    /** Publishes all that is pending and older than `minAgeMs` (default 1 s). */
    async scan({ minAgeMs = SCAN_MIN_AGE_MS }: { minAgeMs?: number } = {}): Promise<void> {
      let cursor: string | undefined
      do {
        if (unavailableReason() !== undefined) return
        const page = await sessions.pendingMarks({
          limit: SCAN_PAGE,
          ...(cursor === undefined ? {} : { cursor }),
        })
        const due = page.marks.filter(({ at }) => Date.now() - Date.parse(at) >= minAgeMs)
        await Promise.all(due.map(enqueue))
        cursor = page.next
      } while (cursor !== undefined)
    },

    /** Resolves when nothing is being published. */
    async drain(): Promise<void> {
      while (inFlight.size > 0) await Promise.all(inFlight.values())
    },
  }
}

function eventOf(
  accountKey: string,
  session: Session,
  { sequence: _sequence, ...entry }: OutboxEntry,
): EventInput {
  return {
    ...entry,
    account_key: accountKey,
    conversation_key: session.poll.poll_key,
    conversation_type: CONVERSATION_TYPE,
    person_key: session.person_key,
  }
}
