/**
 * A subscription: one consumer of one stream. What comes is given to its callbacks at once, or waits, bounded, for its loop.
 *
 * - pending: not confirmed by the edge yet
 * - live: changes come; while the client has no socket they wait at the edge, and are fetched when it has one again
 * - over: unsubscribed, the client was closed, or an error that will not go away
 *
 * A loop that is slower than what comes holds at most `maxBuffered` items. Beyond that what waits is let go, and a `gap` with
 * reason `slow` stands in its place; with `snapshot: true` the present states follow it.
 */
import { SignalboxError } from './errors.ts'
import type { CurrentState, StateChange, VumiApiEvent } from './wire.ts'

export const DEFAULT_MAX_BUFFERED = 1_000

/**
 * Changes are missing between what came before and what comes next: `history`: the edge does not keep them (any more); `slow`: the loop did
 * not take them in time.
 */
export interface Gap {
  reason: 'history' | 'slow'
}

interface Told {
  /** Where to go on from: `since` of a later subscription. Absent at an edge that keeps no history. */
  cursor?: string | undefined
}

export type GapItem = { kind: 'gap' } & Gap
/** Of all the person's flows and steps. It may tell already what changes that come right after it tell again. */
export type SnapshotItem = { kind: 'snapshot'; states: readonly CurrentState[] }
export type StateChangeItem =
  | ({ kind: 'change'; change: StateChange } & Told)
  | GapItem
  | SnapshotItem
export type EventItem = ({ kind: 'event'; event: VumiApiEvent } & Told) | GapItem

export interface SubscriptionOptions {
  /** After the gap the subscription goes on. */
  onGap?: (gap: Gap) => void
  /** `willRetry` false: the subscription is over. */
  onError?: (error: SignalboxError, willRetry: boolean) => void
  /** A cursor of the same stream, kept from earlier: begins after it. */
  since?: string | undefined
  /** Items that wait for the loop; default 1,000. */
  maxBuffered?: number | undefined
}

export interface StateChangeOptions extends SubscriptionOptions {
  onChange?: (change: StateChange, cursor: string | undefined) => void
  /** With `snapshot: true` once at the beginning; and after a gap. */
  onSnapshot?: (states: readonly CurrentState[]) => void
  snapshot?: boolean | undefined
}

export interface EventOptions extends SubscriptionOptions {
  onEvent?: (event: VumiApiEvent, cursor: string | undefined) => void
}

/**
 * One loop at a time; leaving it unsubscribes. Without a loop nothing waits, when there is a callback for what comes. The loop ends when the
 * subscription is over, and throws when an error ended it.
 */
export interface Subscription<Item> extends AsyncIterable<Item>, AsyncDisposable {
  /** Of the last that was delivered. */
  readonly cursor: string | undefined
  /** Resolves when the edge has confirmed it; rejects when it ends before that. */
  live(): Promise<void>
  /** Nothing is told after it. Idempotent. */
  unsubscribe(): void
}

export type AnyItem = StateChangeItem | EventItem
export type AnyOptions = StateChangeOptions & EventOptions

/** The consumer as its topic sees it. */
export interface Member {
  /** It has been told what came so far, and has to be told when something is missing. */
  isActive: boolean
  needsSnapshot: boolean
  activate(): void
  deliver(data: unknown, cursor: string | undefined): void
  gap(): void
  snapshot(states: readonly CurrentState[]): void
  error(error: SignalboxError, willRetry: boolean): void
  /** Without an error: closed. */
  end(error?: SignalboxError): void
}

export interface MemberDeps {
  /** Its `needsSnapshot` has become true. */
  onNeed(member: Member): void
  onUnsubscribe(member: Member): void
}

export function createSubscription(
  kind: 'change' | 'event',
  options: AnyOptions,
  { onNeed, onUnsubscribe }: MemberDeps,
): { member: Member; subscription: Subscription<AnyItem> } {
  const { maxBuffered = DEFAULT_MAX_BUFFERED } = options
  const onData = kind === 'change' ? options.onChange : options.onEvent
  const live = Promise.withResolvers<void>()
  live.promise.catch(() => undefined)
  let isBuffering = onData === undefined
  let waiting: AnyItem[] = []
  const takers: PromiseWithResolvers<IteratorResult<AnyItem, undefined>>[] = []
  let isOver = false
  let failure: SignalboxError | undefined
  let lastCursor = options.since

  function put(item: AnyItem): void {
    const taker = takers.shift()
    if (taker) {
      taker.resolve({ value: item, done: false })
    } else if (isBuffering) {
      if (waiting.length >= maxBuffered) waiting = [{ kind: 'gap', reason: 'slow' }]
      waiting.push(item)
    }
  }

  const member: Member = {
    isActive: options.since !== undefined,
    needsSnapshot: options.snapshot ?? false,
    activate() {
      member.isActive = true
      live.resolve()
    },
    deliver(data, cursor) {
      if (isOver) return
      lastCursor = cursor
      put({ kind, [kind]: data, cursor } as unknown as AnyItem)
      call(onData as ((data: unknown, cursor?: string) => void) | undefined, data, cursor)
    },
    gap() {
      if (isOver) return
      put({ kind: 'gap', reason: 'history' })
      call(options.onGap, { reason: 'history' })
    },
    snapshot(states) {
      member.needsSnapshot = false
      if (isOver) return
      put({ kind: 'snapshot', states })
      call(options.onSnapshot, states)
    },
    error(error, willRetry) {
      if (!isOver) call(options.onError, error, willRetry)
    },
    end(error) {
      if (isOver) return
      if (error) member.error(error, false)
      isOver = true
      failure = error
      live.reject(error ?? new SignalboxError('SB_UNAVAILABLE', 'the subscription was ended'))
      for (const taker of takers.splice(0)) {
        if (error) taker.reject(error)
        else taker.resolve({ value: undefined, done: true })
      }
    },
  }

  function unsubscribe(): void {
    if (isOver) return
    waiting = []
    member.end()
    onUnsubscribe(member)
  }

  async function next(): Promise<IteratorResult<AnyItem, undefined>> {
    const item = waiting.shift()
    if (item) {
      if (item.kind === 'gap' && item.reason === 'slow' && options.snapshot) {
        member.needsSnapshot = true
        onNeed(member)
      }
      return { value: item, done: false }
    }
    if (failure) throw failure
    if (isOver) return { value: undefined, done: true }
    const taker = Promise.withResolvers<IteratorResult<AnyItem, undefined>>()
    takers.push(taker)
    return taker.promise
  }

  const subscription: Subscription<AnyItem> = {
    get cursor() {
      return lastCursor
    },
    live: () => live.promise,
    unsubscribe,
    [Symbol.asyncIterator]() {
      isBuffering = true
      return {
        next,
        async return() {
          unsubscribe()
          return { value: undefined, done: true }
        },
      }
    },
    async [Symbol.asyncDispose]() {
      unsubscribe()
    },
  }
  return { member, subscription }
}

/** What an application's callback throws is the application's to see, and stops nothing here. */
export function call<Args extends unknown[]>(
  callback: ((...args: Args) => void) | undefined,
  ...args: Args
): void {
  try {
    callback?.(...args)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
