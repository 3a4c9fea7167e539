/**
 * Replaying dead letters, so that pressing twice does it once.
 *
 * A letter is `replaying` before anything is sent and `replayed` after all is confirmed; whoever comes in between finds it busy and sends
 * nothing. What is sent has identities that follow from the letter, so one whose replay was cut short can be replayed again without harm:
 * the same run, the same event.
 */
import type { Broker, Publisher } from '@signalbox/broker'
import type { DeadLetterSummary, KeptDeadLetter } from '@signalbox/contracts'
import { AppError, ConflictError, isRetryable, type Log, NotFoundError } from '@signalbox/kit'
import type {
  BiographyStore,
  ChainStore,
  DeadLetterFilter,
  DeadLetterStore,
} from '@signalbox/store'
import {
  planReplay,
  type ReplayPlan,
  type ReplayRequest,
  replayKindOf,
  runOf,
} from './replay-plan.ts'

/** Letters at work at once in one bulk replay. */
const CONCURRENCY = 16
/** Longer than a replay may take: a publish waits 5 s at most, the store 2 s. After that its process is taken for dead. */
const BUSY_MS = 30_000
/** Errors shown in one answer; there may be more. */
const MAX_ERRORS = 20

export interface ReplaysDeps {
  deadLetters: Pick<DeadLetterStore, 'get' | 'update' | 'list'>
  chains: Pick<ChainStore, 'get'>
  biographies: Pick<BiographyStore, 'record'>
  broker: Pick<Broker, 'publish'>
  publisher: Pick<Publisher, 'invocations' | 'event'>
  log: Log
}

export type ReplayFrom = 'failed_step' | 'start'

export interface BulkOutcome {
  replayed: number
  failed: number
  errors: { dead_letter_id: string; code: string; message: string }[]
  /** The cursor to go on with: more letters wait beyond those of this page. */
  next?: string
}

export type Replays = ReturnType<typeof createReplays>

export function createReplays(deps: ReplaysDeps) {
  const { deadLetters, chains, biographies, log } = deps

  /** Throws `ConflictError` for what cannot be replayed; an error that may pass leaves the letter `replaying`. */
  async function replay(
    letter: KeptDeadLetter,
    request: ReplayRequest,
  ): Promise<DeadLetterSummary> {
    const { account_key, dead_letter_id } = letter
    const kind = replayKindOf(letter, request.kind)
    if (isInHand(letter, kind)) return withoutBody(letter)
    const plan = planReplay(letter, request)
    const found = await begin(letter, plan)
    if (isInHand(found, kind)) return found
    try {
      await send(plan, deps)
      if (plan.eventId !== undefined) {
        await biographies.record([
          { accountKey: account_key, eventId: plan.eventId, facts: plan.facts },
        ])
      }
    } catch (error) {
      await change(letter, isRetryable(error) ? cutShort : reopened)
      throw error
    }
    const ended = await change(letter, replayed)
    log.info(
      { accountKey: account_key, deadLetterId: dead_letter_id, kind },
      'dead_letter.replayed',
    )
    return ended
  }

  /** Resolves to the letter as it was before, which says whether it is ours to replay. */
  async function begin(letter: KeptDeadLetter, plan: ReplayPlan): Promise<DeadLetterSummary> {
    let found: DeadLetterSummary = letter
    await change(letter, (current) => {
      found = current
      if (isInHand(current, plan.replay.kind)) return current
      const busy_until = new Date(Date.now() + BUSY_MS).toISOString()
      const replay = { ...plan.replay, busy_until }
      return { ...current, state: 'replaying', state_at: now(), replay }
    })
    return found
  }

  async function change(
    { account_key, dead_letter_id }: KeptDeadLetter,
    make: (letter: DeadLetterSummary) => DeadLetterSummary,
  ): Promise<DeadLetterSummary> {
    const changed = await deadLetters.update(account_key, dead_letter_id, make)
    if (changed) return changed
    throw noSuchLetter(dead_letter_id)
  }

  async function find(accountKey: string, deadLetterId: string): Promise<KeptDeadLetter> {
    const letter = await deadLetters.get(accountKey, deadLetterId)
    if (letter) return letter
    throw noSuchLetter(deadLetterId)
  }

  async function replayFrom(
    accountKey: string,
    deadLetterId: string,
    from: ReplayFrom,
  ): Promise<DeadLetterSummary> {
    const letter = await find(accountKey, deadLetterId)
    if (from === 'failed_step') return replay(letter, { kind: from })
    const chainId = runOf(letter)?.chain.chain_id
    const chain = chainId === undefined ? undefined : await chains.get(accountKey, chainId)
    return replay(letter, { kind: from, chain })
  }

  return {
    find,
    replay,
    replayFrom,

    /** One page of the open letters that `filter` asks for. Rejects at the first error that may pass; then all of it may be done again. */
    async replayPage(
      accountKey: string,
      {
        filter,
        from,
        ...page
      }: {
        filter: DeadLetterFilter
        from: ReplayFrom
        limit: number
        cursor?: string
      },
    ): Promise<BulkOutcome> {
      const { items, next } = await deadLetters.list(accountKey, filter, page)
      const waiting = items.filter(({ state }) => state === 'open' || state === 'replaying')
      const errors: BulkOutcome['errors'] = []
      let replayed = 0
      let failed = 0
      const work = async (): Promise<void> => {
        for (let letter = waiting.shift(); letter; letter = waiting.shift()) {
          const { dead_letter_id } = letter
          try {
            await replayFrom(accountKey, dead_letter_id, from)
            replayed += 1
          } catch (error) {
            if (!(error instanceof AppError) || error.retryable) {
              waiting.length = 0
              throw error
            }
            failed += 1
            const { code, message } = error
            if (errors.length < MAX_ERRORS) errors.push({ dead_letter_id, code, message })
          }
        }
      }
      const workers = Array.from({ length: CONCURRENCY }, work)
      await Promise.allSettled(workers)
      await Promise.all(workers)
      return { replayed, failed, errors, ...(next === undefined ? {} : { next }) }
    },

    /** The first reason stays. */
    async discard(
      accountKey: string,
      deadLetterId: string,
      reason: string,
    ): Promise<DeadLetterSummary> {
      const discarded = await deadLetters.update(accountKey, deadLetterId, (letter) => {
        if (letter.state === 'discarded') return letter
        if (letter.state !== 'open') throw new ConflictError(`the dead letter is ${letter.state}`)
        return { ...letter, state: 'discarded', state_at: now(), discard_reason: reason }
      })
      if (discarded) return discarded
      throw noSuchLetter(deadLetterId)
    },
  }
}

/** Whether it is done already, or somebody is at it. Throws `ConflictError` when something else was done, or has begun. */
function isInHand({ state, replay }: DeadLetterSummary, kind: string): boolean {
  if (state === 'discarded') throw new ConflictError('the dead letter was discarded')
  if (state === 'open') return false
  if (replay?.kind === kind) {
    return state === 'replayed' || Date.parse(replay.busy_until ?? now()) > Date.now()
  }
  throw new ConflictError(`the dead letter is ${state} as ${replay?.kind}, not as ${kind}`)
}

/** Sends what a plan says; resolves after the confirm. */
export async function send(
  { send: sent }: Pick<ReplayPlan, 'send'>,
  { broker, publisher }: Pick<ReplaysDeps, 'broker' | 'publisher'>,
): Promise<void> {
  switch (sent.what) {
    case 'nothing':
      return
    case 'event':
      return publisher.event(sent.event)
    case 'invocation': {
      const { handler } = sent.invocation
      if ((await publisher.invocations([sent.invocation])) === 'routed') return
      throw new AppError(
        'SB_UNKNOWN_HANDLER',
        `no worker has ever offered the handler "${handler}"`,
        { retryable: false },
      )
    }
    case 'message': {
      const { exchange, routingKey } = sent.message
      if ((await broker.publish(sent.message)) === 'routed') return
      throw new ConflictError(
        `no queue takes what is sent to "${exchange}" with the routing key "${routingKey}": is its worker running?`,
      )
    }
  }
}

function withoutBody({ body: _body, ...summary }: KeptDeadLetter): DeadLetterSummary {
  return summary
}

/** n.b. It may have failed again by now, and be open. */
function replayed(letter: DeadLetterSummary): DeadLetterSummary {
  if (letter.state !== 'replaying') return letter
  return { ...cutShort(letter), state: 'replayed', state_at: now() }
}

/** Nobody is at it any more. */
function cutShort(letter: DeadLetterSummary): DeadLetterSummary {
  if (!letter.replay) return letter
  const { busy_until: _busyUntil, ...replay } = letter.replay
  return { ...letter, replay }
}

function reopened(letter: DeadLetterSummary): DeadLetterSummary {
  if (letter.state !== 'replaying') return letter
  const { replay: _replay, ...rest } = letter
  return { ...rest, state: 'open', state_at: now() }
}

function noSuchLetter(deadLetterId: string): NotFoundError {
  return new NotFoundError(
    `there is no dead letter "${deadLetterId}": it was never kept, or is no longer`,
  )
}

function now(): string {
  return new Date().toISOString()
}
