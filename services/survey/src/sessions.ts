/** What can be done with sessions: begin or resume, answer, exit; and what becomes of those that nobody goes on with. */
import { AppError, ConflictError, type Log, NotFoundError, UnavailableError } from '@signalbox/kit'
import type { PollStore } from './poll-store.ts'
import { answerSession, beginSession, exitSession, type Session } from './session.ts'
import {
  newSessionId,
  recordKeyOf,
  recordKeyOfSession,
  type SessionRecord,
  type SessionStore,
} from './session-store.ts'

/** A person who begins a poll over and over while the broker is away must not fill the document. */
const MAX_OUTBOX_TO_BEGIN = 300
const SWEEP_PAGE = 200

export interface SessionsOptions {
  /** How long a session is kept after its last change; an active one is exited first. Milliseconds; default 30 days. */
  keepMs?: number
  /** Sessions kept at once; beyond, nobody new can begin. Default 50,000. */
  maxSessions?: number
}

export interface SessionsDeps {
  polls: Pick<PollStore, 'get'>
  store: SessionStore
  log: Log
}

export type Sessions = ReturnType<typeof createSessions>

const DAY_MS = 86_400_000

export function createSessions(options: SessionsOptions, { polls, store, log }: SessionsDeps) {
  const { keepMs = 30 * DAY_MS, maxSessions = 50_000 } = options
  /** As of the last sweep, and those begun here since. */
  let keptSessions = 0

  const changeExisting = async (
    pollKey: string,
    sessionId: string,
    apply: (session: Session, now: string) => ReturnType<typeof exitSession>,
  ): Promise<Session> => {
    const recordKey = recordKeyOfSession(sessionId)
    if (!recordKey) throw noSession(sessionId)
    const { session } = await store.change(recordKey, (record, now) =>
      apply(sessionOf(record, pollKey, sessionId), now),
    )
    return session
  }

  return {
    /** The person's active session of the poll, begun now if there is none. Throws `NotFoundError` for a poll. */
    async begin(
      pollKey: string,
      person: { personKey: string; msisdn?: string },
    ): Promise<{ session: Session; isNew: boolean }> {
      const poll = await polls.get(pollKey)
      const recordKey = recordKeyOf(pollKey, person.personKey)
      const sessionId = newSessionId(recordKey)
      const { session } = await store.change(recordKey, (record, now) => {
        if (record?.session.state === 'active')
          return { session: record.session, announcements: [] }
        requireRoom(record)
        return beginSession(poll, { sessionId, ...person }, now)
      })
      const isNew = session.session_id === sessionId
      if (isNew) keptSessions += 1
      return { session, isNew }
    },

    /** Throws `NotFoundError`. */
    async get(pollKey: string, sessionId: string): Promise<Session> {
      const recordKey = recordKeyOfSession(sessionId)
      if (!recordKey) throw noSession(sessionId)
      return sessionOf(await store.read(recordKey), pollKey, sessionId)
    },

    /** The latest session of the person, or undefined. */
    async latestOf(pollKey: string, personKey: string): Promise<Session | undefined> {
      return (await store.read(recordKeyOf(pollKey, personKey)))?.session
    },

    answer(pollKey: string, sessionId: string, answer: { question: string; answer: unknown }) {
      return changeExisting(pollKey, sessionId, (session, now) =>
        answerSession(session, answer, now),
      )
    },

    exit(pollKey: string, sessionId: string): Promise<Session> {
      return changeExisting(pollKey, sessionId, exitSession)
    },

    /** Exits the active sessions and removes the ended ones that have not changed for `keepMs`. */
    async sweep(): Promise<{ removed: number; kept: number }> {
      const oldest = new Date(Date.now() - keepMs).toISOString()
      let kept = 0
      let removed = 0
      let cursor: string | undefined
      do {
        const page = await store.list({
          limit: SWEEP_PAGE,
          ...(cursor === undefined ? {} : { cursor }),
        })
        for (const { key, revision, record } of page.records) {
          if (await retire({ key, revision, record }, oldest)) removed += 1
          else kept += 1
        }
        cursor = page.next
      } while (cursor !== undefined)
      keptSessions = kept
      if (removed > 0) log.info({ removed, kept }, 'sessions.swept')
      return { removed, kept }
    },
  }

  /** True: it is gone. What is not published yet stays, and so does what somebody has just gone on with. */
  async function retire(
    { key, revision, record }: { key: string; revision: number; record: SessionRecord },
    oldest: string,
  ): Promise<boolean> {
    const { session_id, poll, state, updated_at } = record.session
    if (updated_at >= oldest) return false
    try {
      if (state === 'active') {
        await changeExisting(poll.poll_key, session_id, (session, now) =>
          session.updated_at < oldest ? exitSession(session, now) : { session, announcements: [] },
        )
        return false
      }
      if (record.outbox.length > 0) return false
      await store.remove(key, revision)
      return true
    } catch (error) {
      if (error instanceof ConflictError || error instanceof NotFoundError) return false
      throw error
    }
  }

  function requireRoom(record: SessionRecord | undefined): void {
    if (!record && keptSessions >= maxSessions) {
      throw new AppError('SB_TOO_MANY', `${maxSessions} sessions are kept already; try later`, {
        retryable: true,
      })
    }
    if (record && record.outbox.length > MAX_OUTBOX_TO_BEGIN) {
      throw new UnavailableError('the events of earlier sessions wait for the broker; try later')
    }
  }
}

function sessionOf(record: SessionRecord | undefined, pollKey: string, sessionId: string): Session {
  const session = record?.session
  if (session?.session_id !== sessionId || session.poll.poll_key !== pollKey) {
    throw noSession(sessionId)
  }
  return session
}

const noSession = (sessionId: string) => new NotFoundError(`there is no session "${sessionId}"`)
