/**
 * A subscription of one connection: a selector, and how far its client has come in the channel.
 *
 * - holding: frames wait; what comes by the feed is held, a page of it at most, and what is missing before it is read from the log
 * - live: what comes by the feed is sent
 *
 * It begins holding, so that nothing is sent before its answer, and becomes live when what it has read joins what it holds: there
 * is no hole between them, and what is in both is sent once. Reading goes at the client's pace.
 *
 * A client that asked for `resume` gets a cursor with each frame, and is told of a gap when something was missed for good.
 */
import { backoffDelayMs, delay, type Log } from '@signalbox/kit'
import type { ChannelMessage, ChannelPosition, ChannelView } from '@signalbox/store'
import type { Break } from './channel-feed.ts'
import type { ChannelListener, Hold } from './channel-registry.ts'
import { asCursor, type Cursor, cursorText, following, isAt, offsetBefore } from './cursor.ts'
import { Frame, framePrefix } from './frame.ts'
import type { LiveMessage } from './live-message.ts'
import type { EdgeMetrics } from './metrics.ts'
import type { AnswerExtras, RequestId, Wishes } from './protocol.ts'
import { type MessageFilter, matches, type Selector } from './selector.ts'
import type { Shown } from './showings.ts'
import { snapshotJson } from './state-change.ts'

/** Where a subscription's frames go; its connection. */
export interface Outlet {
  /** `shown`: what it shows of which event. */
  send(frame: Frame, shown?: Shown): void
  /** So much waits for the client that reading more has to wait, too. */
  readonly isCongested: boolean
  /** Resolves when it is not, or the client is gone. */
  drained(): Promise<void>
}

export interface SubscriptionOptions {
  requestId: RequestId
  selector: Selector
  filter: MessageFilter
  wishes: Wishes
}

export interface SubscriptionDeps {
  hold: Hold
  outlet: Outlet
  log: Log
  metrics: Pick<EdgeMetrics, 'filterFaults' | 'resumes' | 'gaps'>
}

/** What was read and is to be sent; `end`: there was no more. */
interface Page {
  messages: readonly ChannelMessage[]
  end: ChannelPosition | undefined
}

export class Subscription implements ChannelListener {
  // What every frame of a fan-out asks for comes first, so that it is together in memory.
  /** While holding: what came by the feed after `#heldFrom`. */
  #held: LiveMessage[] | undefined = []
  /** Live, and something after the position has come: so is all that follows. */
  #isBeyond = false
  #isResuming: boolean
  readonly #prefix: string
  readonly #outlet: Outlet
  readonly requestId: RequestId
  readonly selector: Selector
  readonly filter: MessageFilter
  readonly wantsSnapshot: boolean
  readonly #deps: SubscriptionDeps
  #isEnded = false
  #ending: AbortController | undefined
  /** Up to here everything was sent, or was before its time. */
  #position: Cursor
  /** From here on nothing is missing. */
  #completeFrom: Cursor
  #heldFrom: ChannelPosition
  #pending: Page | undefined
  #joining: Promise<void> = Promise.resolve()

  constructor(
    { requestId, selector, filter, wishes }: SubscriptionOptions,
    deps: SubscriptionDeps,
  ) {
    this.requestId = requestId
    this.selector = selector
    this.filter = filter
    this.wantsSnapshot = wishes.snapshot
    this.#deps = deps
    this.#outlet = deps.outlet
    this.#isResuming = wishes.resume
    this.#prefix = framePrefix(selector.kind === 'state' ? 'state_change' : 'event', requestId)
    this.#heldFrom = deps.hold.position
    this.#position = asCursor(this.#heldFrom)
    this.#completeFrom = this.#position
    deps.hold.listen(this)
  }

  get isResuming(): boolean {
    return this.#isResuming
  }

  /** Finds the place to begin at, and says so; no frame is sent before `goLive`. Rejects when the store is away. */
  async begin({ since, snapshot }: Wishes): Promise<AnswerExtras> {
    if (since === undefined) {
      return snapshot ? this.#beginAtEnd() : this.#extras(this.#position)
    }
    if (!snapshot && isAt(since, this.#heldFrom)) return this.#recovered(since)
    const view = await this.#deps.hold.open({
      afterOffset: offsetBefore(since),
      limit: this.#deps.hold.pageSize,
      states: snapshot,
    })
    const missed = following(since, view)
    if (missed === undefined) {
      this.#deps.metrics.resumes.inc({ outcome: 'lost' })
      return { ...(await this.#beginAtEnd()), recovered: false }
    }
    this.#moveTo(since)
    this.#completeFrom = since
    this.#pending = this.#pageOf(view, missed)
    return this.#recovered(since, view.states)
  }

  /** Answers a repeated subscribe; frames that come meanwhile wait for `goLive`. */
  async repeat({ resume, since, snapshot }: Wishes): Promise<AnswerExtras> {
    await this.#joining
    const recovered = since && this.#covers(since)
    if (recovered !== undefined) {
      this.#deps.metrics.resumes.inc({ outcome: recovered ? 'recovered' : 'lost' })
    }
    const needsStates = this.selector.kind === 'state' && (snapshot || recovered === false)
    this.#hold()
    const states = needsStates ? await this.#readStates() : undefined
    this.#isResuming ||= resume
    return {
      ...(resume ? { cursor: cursorText(this.#position) } : {}),
      ...(recovered === undefined ? {} : { recovered }),
      ...(states ? { snapshotJson: snapshotJson(states) } : {}),
    }
  }

  /** Sends what waits, and what is missing. After the answer. */
  goLive(): void {
    const page = this.#pending
    this.#pending = undefined
    this.#joining = this.#join(page)
  }

  onMessage(message: LiveMessage): void {
    const held = this.#held
    if (held === undefined) {
      if (!this.#isBeyond && isUpTo(message.position, this.#position)) return
      this.#isBeyond = true
      this.#send(message)
    } else if (!isUpTo(message.position, this.#heldFrom)) {
      held.push(message)
      if (held.length > this.#deps.hold.pageSize) this.#heldFrom = held.shift()!.position
    }
  }

  onBreak({ end, states }: Break): void {
    if (this.#held) {
      // n.b. who is reading finds out for itself.
      this.#held = []
      this.#heldFrom = end
    } else if (this.#isResuming) {
      this.#goOnFrom(end, states)
    } else {
      this.#completeFrom = asCursor(end)
      this.#moveTo(asCursor({ epoch: end.epoch, offset: 0, id: '' }))
    }
  }

  /** Releases its hold. Idempotent. */
  end(): void {
    this.#isEnded = true
    this.#held = undefined
    this.#ending?.abort()
    this.#deps.hold.release()
  }

  async #beginAtEnd(): Promise<AnswerExtras> {
    const { end, states } = await this.#deps.hold.open({ states: this.selector.kind === 'state' })
    this.#moveTo(asCursor(end))
    this.#completeFrom = this.#position
    return this.#extras(this.#position, states)
  }

  #recovered(since: Cursor, states?: readonly string[]): AnswerExtras {
    this.#deps.metrics.resumes.inc({ outcome: 'recovered' })
    const { cursor, snapshotJson: snapshot } = this.#extras(since, states)
    return {
      ...(cursor === undefined ? {} : { cursor }),
      recovered: true,
      ...(snapshot === undefined ? {} : { snapshotJson: snapshot }),
    }
  }

  #extras(at: Cursor, states?: readonly string[]): AnswerExtras {
    return {
      ...(this.#isResuming ? { cursor: cursorText(at) } : {}),
      ...(states ? { snapshotJson: snapshotJson(states) } : {}),
    }
  }

  /** Whether everything after the cursor was sent, or will be. */
  #covers(since: Cursor): boolean {
    const [from, to] = [this.#completeFrom, this.#reached()]
    const isWithin =
      since.epoch === from.epoch &&
      since.epoch === to.epoch &&
      since.offset >= from.offset &&
      since.offset <= to.offset
    return (
      isWithin && [from, to].every((at) => at.offset !== since.offset || at.mark === since.mark)
    )
  }

  #moveTo(position: Cursor): void {
    this.#position = position
    this.#isBeyond = false
  }

  /** While live, everything up to the feed's position was sent, or does not fit the filter. */
  #reached(): Cursor {
    const { position } = this.#deps.hold
    return isUpTo(position, this.#position) ? this.#position : asCursor(position)
  }

  #hold(): void {
    this.#moveTo(this.#reached())
    this.#held ??= []
    this.#heldFrom = this.#deps.hold.position
  }

  /** The states as of a position, which becomes the subscription's own: what is missing up to it is sent before. */
  async #readStates(): Promise<readonly string[] | undefined> {
    try {
      for (;;) {
        const view = await this.#deps.hold.open({
          afterOffset: offsetBefore(this.#position),
          limit: this.#deps.hold.pageSize,
          states: true,
        })
        const missed = following(this.#position, view)
        if (missed === undefined) this.#goOnFrom(view.end, view.states)
        else await this.#sendPage(this.#pageOf(view, missed))
        const isAtEnd = view.messages.length < this.#deps.hold.pageSize
        if (missed === undefined || isAtEnd || this.#isEnded) return view.states
      }
    } catch (error) {
      this.goLive()
      throw error
    }
  }

  async #join(first: Page | undefined): Promise<void> {
    let page = first
    while (!this.#isEnded) {
      if (page) await this.#sendPage(page)
      if (this.#isEnded || this.#becomeLive()) return
      page = await this.#readOn({ isAtEnd: page?.end !== undefined })
    }
  }

  /** False: something between what was read and what is held is missing. */
  #becomeLive(): boolean {
    const { epoch, offset } = this.#position
    if (epoch !== this.#heldFrom.epoch || offset < this.#heldFrom.offset) return false
    const held = this.#held ?? []
    this.#held = undefined
    for (const message of held) this.onMessage(message)
    return true
  }

  /** `isAtEnd`: the log has no more, so the feed may not know yet that it is another one. */
  async #readOn({ isAtEnd }: { isAtEnd: boolean }): Promise<Page | undefined> {
    const { hold, log } = this.#deps
    for (let attempt = 1; !this.#isEnded; attempt++) {
      try {
        if (isAtEnd) await hold.check()
        const view = await hold.open({
          afterOffset: offsetBefore(this.#position),
          limit: hold.pageSize,
        })
        const missed = following(this.#position, view)
        if (missed) return this.#pageOf(view, missed)
        const { end, states } = await hold.open({ states: this.selector.kind === 'state' })
        this.#goOnFrom(end, states)
        return { messages: [], end }
      } catch (error) {
        log.debug({ err: error }, 'subscription.read_failed')
        this.#ending ??= new AbortController()
        await delay(backoffDelayMs(attempt), this.#ending.signal)
      }
    }
    return undefined
  }

  async #sendPage({ messages, end }: Page): Promise<void> {
    const { hold, outlet, metrics } = this.#deps
    for (const message of messages) {
      if (outlet.isCongested) await outlet.drained()
      if (this.#isEnded) return
      const decoded = hold.decode(message)
      if (decoded && matches(this.filter, decoded, () => metrics.filterFaults.inc())) {
        this.#send(decoded)
      }
    }
    const reached = end ?? messages.at(-1)
    if (reached) this.#moveTo(asCursor(reached))
  }

  #pageOf({ end, messages }: ChannelView, missed: readonly ChannelMessage[]): Page {
    return { messages: missed, end: messages.length < this.#deps.hold.pageSize ? end : undefined }
  }

  #send(message: LiveMessage): void {
    const frame = this.#isResuming
      ? message.frameWithCursor(this.#prefix)
      : message.frame(this.#prefix)
    this.#outlet.send(frame, message)
  }

  /** What is before `end` is missed for good. */
  #goOnFrom(end: ChannelPosition, states: readonly string[] | undefined): void {
    this.#moveTo(asCursor(end))
    this.#completeFrom = this.#position
    if (!this.#isResuming || this.#isEnded) return
    this.#deps.metrics.gaps.inc()
    const data = states ? `{"snapshot":${snapshotJson(states)}}` : '{}'
    const cursor = cursorText(this.#position)
    const prefix = framePrefix('gap', this.requestId)
    this.#deps.outlet.send(new Frame('gap', [`${prefix}${data},"cursor":"${cursor}"}`]))
  }
}

/** n.b. positions of different epochs cannot be compared: neither is up to the other. */
function isUpTo(
  one: { epoch: string; offset: number },
  other: { epoch: string; offset: number },
): boolean {
  return one.epoch === other.epoch && one.offset <= other.offset
}
