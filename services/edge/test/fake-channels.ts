/** A channel store that a test has in its hand: when a subscription is live, what is lost, when it cannot be reached. */
import { UnavailableError } from '@signalbox/kit'
import type {
  Channel,
  ChannelMessage,
  ChannelOpening,
  ChannelPosition,
  ChannelStore,
  ChannelView,
} from '@signalbox/store'

interface Subscriber {
  onMessage(message: ChannelMessage): void
  onLost?: (() => void) | undefined
}

const flowPayload = (id: string) =>
  JSON.stringify({
    event: 'state_change',
    timestamp: '2026-01-31T09:30:00.000Z',
    data: { entity: 'flow', id, identifier: 'i', state: 'active', previous_state: null },
  })

export class FakeChannels implements Pick<ChannelStore, 'subscribe' | 'open'> {
  readonly log: ChannelMessage[] = []
  readonly subscribers = new Set<Subscriber>()
  /** Subscriptions ever made. */
  subscribeCount = 0
  isAway = false
  /** Subscribing works, reading does not. */
  isUnreadable = false
  /** While set, subscriptions wait for it. */
  gate: Promise<void> = Promise.resolve()
  epoch = 'epoch-1'
  readonly states = new Map<string, string>()
  #end: ChannelPosition = { epoch: this.epoch, offset: 0, id: '' }

  /** Kept and delivered; `lost`: kept only. What is returned delivers it (again). */
  append(
    id: string,
    delivery: 'live' | 'lost' = 'live',
    payload: string = flowPayload(id),
  ): () => void {
    const message = { epoch: this.epoch, offset: this.#end.offset + 1, id, payload }
    this.#end = { epoch: this.epoch, offset: message.offset, id }
    this.log.push(message)
    const arrive = () => {
      for (const { onMessage } of this.subscribers) onMessage(message)
    }
    if (delivery === 'live') arrive()
    return arrive
  }

  /** Everything is forgotten, offsets begin again. */
  reset(): void {
    this.log.length = 0
    this.states.clear()
    this.epoch = `epoch-${Number(this.epoch.slice(6)) + 1}`
    this.#end = { epoch: this.epoch, offset: 0, id: '' }
  }

  lose(): void {
    for (const { onLost } of this.subscribers) onLost?.()
  }

  async subscribe(
    _channel: Channel,
    onMessage: (message: ChannelMessage) => void,
    onLost?: () => void,
  ) {
    this.subscribeCount++
    await this.gate
    this.#requireReachable()
    const subscriber = { onMessage, onLost }
    this.subscribers.add(subscriber)
    return async () => {
      this.subscribers.delete(subscriber)
    }
  }

  async open(
    _channel: Channel,
    { afterOffset, limit = 0, states = false }: ChannelOpening = {},
  ): Promise<ChannelView> {
    this.#requireReachable()
    if (this.isUnreadable) throw new UnavailableError('the log cannot be read')
    const messages =
      afterOffset === undefined
        ? this.log.slice(Math.max(0, this.log.length - limit))
        : this.log.filter(({ offset }) => offset > afterOffset).slice(0, limit)
    return {
      end: { ...this.#end },
      messages,
      ...(states ? { states: [...this.states.values()] } : {}),
    }
  }

  #requireReachable(): void {
    if (!this.isAway) return
    throw new UnavailableError('the store is away', { code: 'SB_STORE_UNAVAILABLE' })
  }
}
