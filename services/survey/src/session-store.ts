/**
 * Sessions as documents: one for each person and poll, so that nobody can have two active sessions of one poll.
 *
 * The document carries an *outbox*: the events of its changes that the broker has not confirmed yet. A change and what it
 * announces are therefore saved in one step, and `outbox.ts` publishes from there. So that it need not search all
 * sessions, a *pending mark* is saved before each change; it is taken away when the change has been published.
 */
import { randomBytes } from 'node:crypto'
import {
  derivedUuid,
  jsonObjectSchema,
  keySchema,
  timestampSchema,
  uuidv7,
} from '@signalbox/contracts'
import type { PageOptions, Store } from '@signalbox/store'
import { z } from 'zod'
import { type DocumentPlace, readDocument, reviseDocument } from './revision.ts'
import { type SessionChange, sessionSchema } from './session.ts'

const SESSIONS = 'survey_sessions'
const PENDING = 'survey_pending'

/** The writer of a mark this old is gone: if its change were saved, the document would show it. */
const ABANDONED_AFTER_MS = 3_600_000

const outboxEntrySchema = z.strictObject({
  sequence: z.int(),
  event_id: keySchema,
  event_type: z.string(),
  event_data: jsonObjectSchema,
  timestamp: timestampSchema,
})

const sessionRecordSchema = z.strictObject({
  session: sessionSchema,
  /** Counts the events of this document, over all its sessions. */
  sequence: z.int(),
  /** Oldest first. */
  outbox: z.array(outboxEntrySchema),
})

const pendingMarkSchema = z.strictObject({
  record_key: z.string(),
  /** The document's `sequence` once the change is saved. */
  sequence: z.int(),
  at: timestampSchema,
})

export type SessionRecord = z.infer<typeof sessionRecordSchema>
export type OutboxEntry = z.infer<typeof outboxEntrySchema>
export type PendingMark = z.infer<typeof pendingMarkSchema> & { key: string }

export type SessionStore = ReturnType<typeof createSessionStore>

export interface SessionStoreOptions {
  accountKey: string
  /** Told after each saved change that announced something. */
  onPending?: (mark: PendingMark) => void
}

export function createSessionStore(
  { accountKey, onPending }: SessionStoreOptions,
  { documents }: Pick<Store, 'documents'>,
) {
  const place = (key: string): DocumentPlace<SessionRecord> => ({
    documents,
    accountKey,
    collection: SESSIONS,
    key,
    schema: sessionRecordSchema,
  })

  const mark = async (recordKey: string, sequence: number, at: string): Promise<PendingMark> => {
    const value = { record_key: recordKey, sequence, at }
    // n.b. each mark has a key of its own: taking one away can never take away somebody else's.
    const key = uuidv7()
    await documents.put(accountKey, PENDING, key, value)
    return { key, ...value }
  }

  return {
    async read(recordKey: string): Promise<SessionRecord | undefined> {
      return (await readDocument(place(recordKey))).value
    },

    /** Saves the change and what it announces; `apply` is called again when somebody else was faster. */
    async change(
      recordKey: string,
      apply: (record: SessionRecord | undefined, now: string) => SessionChange,
    ): Promise<SessionRecord> {
      let pending: PendingMark | undefined
      const saved = await reviseDocument(place(recordKey), async (record) => {
        const now = new Date().toISOString()
        const { session, announcements } = apply(record, now)
        if (record && announcements.length === 0) return record
        const next = withAnnouncements({ accountKey, record, session, announcements, now })
        // A mark of a try that lost is not needed, and goes when the winner's change has been published.
        pending = await mark(recordKey, next.sequence, now)
        return next
      })
      if (pending) onPending?.(pending)
      return saved
    },

    /** Takes the published entries out of the outbox. */
    async takeOut(recordKey: string, publishedSequence: number): Promise<void> {
      await reviseDocument(place(recordKey), (record) => {
        const outbox = record?.outbox.filter(({ sequence }) => sequence > publishedSequence)
        return record && outbox && outbox.length < record.outbox.length
          ? { ...record, outbox }
          : record
      })
    },

    async list(options: PageOptions) {
      const { items, next } = await documents.list(accountKey, SESSIONS, options)
      const records = items.map(({ key, value, revision }) => ({
        key,
        revision,
        record: sessionRecordSchema.parse(value),
      }))
      return { records, next }
    },

    /** Throws `ConflictError` when it has changed since that revision. */
    async remove(recordKey: string, revision: number): Promise<void> {
      await documents.delete(accountKey, SESSIONS, recordKey, { expectedRevision: revision })
    },

    async pendingMarks(options: PageOptions): Promise<{ marks: PendingMark[]; next?: string }> {
      const { items, next } = await documents.list(accountKey, PENDING, options)
      const marks = items.map(({ key, value }) => ({ key, ...pendingMarkSchema.parse(value) }))
      return { marks, ...(next === undefined ? {} : { next }) }
    },

    /** Takes the mark away if its change is in `record`, or will never be. */
    async settle(pending: PendingMark, record: SessionRecord | undefined): Promise<void> {
      const isAbandoned = Date.now() - Date.parse(pending.at) > ABANDONED_AFTER_MS
      if ((record?.sequence ?? 0) >= pending.sequence || isAbandoned) {
        await documents.delete(accountKey, PENDING, pending.key)
      }
    },
  }
}

/** The document of one person's sessions of one poll. */
export function recordKeyOf(pollKey: string, personKey: string): string {
  return derivedUuid('survey_session', pollKey, personKey)
}

/** A session's identity starts with its document's key. */
export function newSessionId(recordKey: string): string {
  return `${recordKey}-${randomBytes(6).toString('hex')}`
}

/** Undefined: it can be no session's identity. */
export function recordKeyOfSession(sessionId: string): string | undefined {
  return /^([0-9a-f-]{36})-[0-9a-f]{12}$/.exec(sessionId)?.[1]
}

/** The identities of events are derived: publishing a saved entry again is publishing the same event. */
function withAnnouncements(change: {
  accountKey: string
  record: SessionRecord | undefined
  session: SessionRecord['session']
  announcements: SessionChange['announcements']
  now: string
}): SessionRecord {
  const { accountKey, record, session, announcements, now } = change
  const last = record?.sequence ?? 0
  const entries = announcements.map((announcement, index): OutboxEntry => {
    const sequence = last + index + 1
    return {
      sequence,
      event_id: derivedUuid('survey_event', accountKey, session.session_id, String(sequence)),
      timestamp: now,
      ...announcement,
    }
  })
  return {
    session,
    sequence: last + entries.length,
    outbox: [...(record?.outbox ?? []), ...entries],
  }
}
