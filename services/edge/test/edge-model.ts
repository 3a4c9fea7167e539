/**
 * What a property test of resuming works with: several edges on one store, whose subscriptions it cuts, a channel whose whole history
 * the model knows, and clients that hold every frame they get against it.
 */
import { createMetrics, silentLog } from '@signalbox/kit'
import {
  type Channel,
  type ChannelMessage,
  type ChannelOpening,
  type ChannelStore,
  type ChannelView,
  createMemoryStore,
} from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import { createChannelRegistry } from '../src/channel-registry.ts'
import {
  type ClientSocket,
  type ClientWriter,
  type Connection,
  createConnection,
} from '../src/connection.ts'
import type { Frame } from '../src/frame.ts'
import { createEdgeMetrics } from '../src/metrics.ts'
import { currentState, encodePayload } from '../src/state-change.ts'
import { NO_LIMIT, noToken, UNTOLD } from './connection-parts.ts'
import { textOf } from './frame-text.ts'

export const ACCOUNT = 'demo'
export const TOPICS = ['flow', 'step'] as const
export type Topic = (typeof TOPICS)[number]
export const MAX_MESSAGES = 6
const AT = '2026-01-31T09:30:00.000Z'

/** One message, as the model remembers it. */
interface Fact {
  id: string
  topic: Topic
  life: number
  offset: number
  /** What is current after it, the one that changed longest ago first. */
  states: string[]
}

interface Answer {
  request_id: number
  status: number
  cursor?: string
  recovered?: boolean
  snapshot?: { id: string; state: string }[]
}

export interface Wish {
  since?: string
  resume?: boolean
  snapshot?: boolean
}

/** Everything that was ever appended, whatever the store forgot. */
export class ChannelModel {
  readonly channel: Channel
  readonly store = createMemoryStore({
    maxChannelMessages: MAX_MESSAGES,
    maxAccountChannelMessages: MAX_MESSAGES,
  })
  readonly facts: Fact[] = []
  /** By epoch, as soon as a cursor shows it. */
  readonly lives = new Map<string, number>()
  life = 0
  #offset = 0
  #states = new Map<string, string>()

  constructor(kind: Channel['kind']) {
    this.channel =
      kind === 'person'
        ? { accountKey: ACCOUNT, kind, personKey: 'p1' }
        : { accountKey: ACCOUNT, kind }
  }

  async append(topic: Topic): Promise<void> {
    const number = this.facts.length
    const id = `m${number}`
    const entityId = `${topic}-${number % 3}`
    const change = { id: entityId, identifier: id, state: 'active', previous_state: null }
    const state = currentState(topic, change)
    this.#offset += 1
    this.#states.delete(state.key)
    this.#states.set(state.key, state.value)
    this.facts.push({
      id,
      topic,
      life: this.life,
      offset: this.#offset,
      states: [...this.#states.values()],
    })
    const payload =
      this.channel.kind === 'person' ? encodePayload(topic, change, AT) : eventOf(topic, id)
    await this.store.channels.append([{ channel: this.channel, id, payload, state }])
  }

  async forget(): Promise<void> {
    this.life += 1
    this.#offset = 0
    this.#states = new Map()
    await this.store.channels.forget(this.channel)
  }

  /** What a cursor says, in the model's words. The first cursor of an epoch tells which life of the channel it is. */
  placeOf(cursor: string): { life: number; offset: number } {
    const [epoch = '', offset = ''] = cursor.split('.')
    const life = this.lives.get(epoch)
    if (life === undefined) throw new Error(`a cursor of an epoch that nobody saw: ${cursor}`)
    return { life, offset: Number(offset) }
  }

  /** Whether the log has all that follows the cursor, and the message at it. */
  isInLog(cursor: string): boolean {
    const { life, offset } = this.placeOf(cursor)
    const isKept =
      offset === 0 ? this.#offset <= MAX_MESSAGES : offset > this.#offset - MAX_MESSAGES
    return life === this.life && (offset === this.#offset || isKept)
  }

  statesAt(cursor: string): string[] {
    const { life, offset } = this.placeOf(cursor)
    return this.facts.find((fact) => fact.life === life && fact.offset === offset)?.states ?? []
  }

  /** What is seen here is what an edge sees, before it does. n.b. the memory engine looks at once, so the life is that of the call. */
  async open(opening?: ChannelOpening): Promise<ChannelView> {
    const { life } = this
    const view = await this.store.channels.open(this.channel, opening)
    this.lives.set(view.end.epoch, life)
    return view
  }

  notePublished({ id, epoch }: ChannelMessage): void {
    const fact = this.facts.find((known) => known.id === id)
    if (fact) this.lives.set(epoch, fact.life)
  }
}

function eventOf(topic: Topic, id: string): string {
  return JSON.stringify({
    event_id: id,
    account_key: ACCOUNT,
    conversation_key: 'c1',
    conversation_type: 'survey',
    event_type: topic,
    event_data: {},
    timestamp: AT,
  })
}

/** An edge whose pub/sub can be cut: what is published meanwhile is lost to it, and it is told so when it is mended. */
export class ModelEdge {
  readonly #model: ChannelModel
  readonly #onLost = new Set<() => void>()
  #isCut = false
  #registry: ReturnType<typeof createChannelRegistry>
  readonly metrics = createEdgeMetrics(createMetrics({ withProcessMetrics: false }), new Set())
  readonly connections = new Set<ModelClient>()

  constructor(model: ChannelModel) {
    this.#model = model
    this.#registry = this.#open()
  }

  #open() {
    const channels: Pick<ChannelStore, 'subscribe' | 'open'> = {
      subscribe: async (channel, onMessage, onLost) => {
        const lose = () => onLost?.()
        this.#onLost.add(lose)
        const end = await this.#model.store.channels.subscribe(
          channel,
          (message) => {
            this.#model.notePublished(message)
            if (!this.#isCut) onMessage(message)
          },
          () => {
            if (!this.#isCut) lose()
          },
        )
        return async () => {
          this.#onLost.delete(lose)
          await end()
        }
      },
      open: (_channel, opening) => this.#model.open(opening),
    }
    return createChannelRegistry({ channels, log: silentLog, metrics: this.metrics, pageSize: 2 })
  }

  get registry() {
    return this.#registry
  }

  cut(): void {
    this.#isCut = true
  }

  mend(): void {
    this.#isCut = false
    for (const lose of [...this.#onLost]) lose()
  }

  async restart(): Promise<void> {
    for (const client of [...this.connections]) client.disconnect()
    const old = this.#registry
    this.#registry = this.#open()
    await old[Symbol.asyncDispose]()
  }

  async close(): Promise<void> {
    for (const client of [...this.connections]) client.disconnect()
    await this.#registry[Symbol.asyncDispose]()
  }
}

/** A client with one subscription, which comes back with its newest cursor. Throws from `check` what it saw go wrong. */
export class ModelClient {
  readonly topic: Topic
  readonly #model: ChannelModel
  readonly #faults: string[] = []
  #edge: ModelEdge | undefined
  #connection: Connection | undefined
  #requestId = 0
  /** Requests under way, and whether the log had what they ask for when they were sent. */
  readonly #asked = new Map<number, Wish & { wasInLog: boolean }>()
  cursor: string | undefined
  /** Index, in the model, of the last message that it knows of; undefined: it may be anything. */
  #last: number | undefined
  /** A hole was told, so the next message may be any later one. */
  #isHoleTold = true
  #firstRequestId = 0
  recovered = 0
  lost = 0
  gaps = 0
  readonly seen: string[] = []

  constructor(model: ChannelModel, topic: Topic) {
    this.#model = model
    this.topic = topic
  }

  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  connect(edge: ModelEdge, wish: Wish = {}, isCongested = false): void {
    this.disconnect()
    this.#edge = edge
    edge.connections.add(this)
    const socket: ClientSocket & ClientWriter = {
      write: (frame) => {
        if (this.#connection === connection) this.#receive(frame)
        return true
      },
      isCongested,
      async drained() {
        await Promise.resolve()
      },
      close: (code, reason) => this.#faults.push(`closed with ${code} ${reason}`),
      pause: () => undefined,
      resume: () => undefined,
    }
    const connection = createConnection(
      { claims: { account_key: ACCOUNT, scope: 'account', exp: 0 }, socket, writer: socket },
      {
        maxSubscriptions: 10,
        frames: NO_LIMIT,
        channels: edge.registry,
        showings: UNTOLD,
        claimsOf: noToken,
        log: silentLog,
        metrics: edge.metrics,
      },
    )
    this.#connection = connection
    this.#asked.clear()
    this.#firstRequestId = this.#requestId + 1
    this.subscribe({ resume: true, ...(this.cursor ? { since: this.cursor } : {}), ...wish })
  }

  /** The same subscription, however often. */
  subscribe(wish: Wish): void {
    const requestId = ++this.#requestId
    const wasInLog = wish.since !== undefined && this.#model.isInLog(wish.since)
    this.#asked.set(requestId, { ...wish, wasInLog })
    const isPerson = this.#model.channel.kind === 'person'
    const { snapshot, ...others } = wish
    const selector = isPerson
      ? { person_key: 'p1', entity: this.topic, snapshot: snapshot ?? false }
      : { event_type: this.topic }
    this.#connection?.receive(
      JSON.stringify({
        action: isPerson ? 'subscribe_state_change' : 'subscribe',
        request_id: requestId,
        data: { ...selector, ...others },
      }),
    )
  }

  disconnect(): void {
    this.#edge?.connections.delete(this)
    this.#connection?.end()
    this.#connection = undefined
  }

  check(): void {
    if (this.#faults.length > 0) throw new Error(this.#faults.join('\n'))
  }

  /** Until it knows of the newest message, by its frame or by a gap that covers it. */
  async settle(): Promise<void> {
    const newest = this.#model.facts.findLastIndex(({ topic }) => topic === this.topic)
    await waitFor(() => (this.#last ?? -1) >= newest || this.#faults.length > 0, {
      what: `${this.#model.facts[newest]?.id} after ${this.seen.at(-1)}`,
      intervalMs: 1,
      timeoutMs: 2_000,
    })
  }

  #receive(frame: Frame): void {
    const text = textOf(frame)
    const value = JSON.parse(text) as Record<string, unknown>
    if (!('event' in value)) {
      this.#onAnswer(value as unknown as Answer, text)
      return
    }
    if (this.#asked.has(this.#firstRequestId)) this.#faults.push(`before its answer: ${text}`)
    if (value.request_id !== this.#firstRequestId) this.#faults.push(`not of the first: ${text}`)
    const { cursor, data } = value as { cursor: string; data: Record<string, string> }
    if (value.event === 'gap') {
      this.gaps += 1
      this.#goOnFrom(cursor, data.snapshot as unknown as Answer['snapshot'])
    } else {
      this.#onMessage(data.event_id ?? data.identifier ?? '', cursor)
    }
  }

  #onAnswer({ request_id, status, cursor, recovered, snapshot }: Answer, text: string): void {
    const wish = this.#asked.get(request_id)
    this.#asked.delete(request_id)
    if (status !== 200 || cursor === undefined) {
      this.#faults.push(`answered ${text}`)
      return
    }
    if ((wish?.since === undefined) !== (recovered === undefined)) {
      this.#faults.push(`recovered without since, or none with it: ${text}`)
    }
    if (recovered === false) {
      this.lost += 1
      const isStillInLog = this.#model.isInLog(wish?.since ?? '')
      const isFirst = request_id === this.#firstRequestId
      if (isFirst && wish?.wasInLog && isStillInLog) {
        this.#faults.push(`not recovered although the log had it all: ${text}`)
      }
      this.#goOnFrom(cursor, snapshot)
    } else {
      if (recovered) this.recovered += 1
      if (recovered && request_id === this.#firstRequestId && cursor !== wish?.since) {
        this.#faults.push(`recovered, but not from its own cursor: ${text}`)
      }
      if (recovered === undefined && request_id === this.#firstRequestId) this.#goOnFrom(cursor)
      this.cursor = cursor
      if (snapshot && !(recovered && request_id === this.#firstRequestId)) {
        this.#checkSnapshot(cursor, snapshot)
      }
    }
    if (this.#model.channel.kind === 'person' && wish?.snapshot && !snapshot) {
      this.#faults.push(`no snapshot in ${text}`)
    }
  }

  #onMessage(id: string, cursor: string): void {
    const { facts } = this.#model
    const index = facts.findIndex((fact) => fact.id === id)
    const fact = facts[index]
    if (fact?.topic !== this.topic) {
      this.#faults.push(`not asked for: ${id}`)
      return
    }
    if (this.#last !== undefined && index <= this.#last) {
      this.#faults.push(`${id} again, or late, after ${this.seen.at(-1)}`)
    }
    const skipped = facts.slice((this.#last ?? -1) + 1, index)
    if (!this.#isHoleTold && skipped.some(({ topic }) => topic === this.topic)) {
      this.#faults.push(`a hole before ${id}, after ${this.seen.at(-1)}`)
    }
    const place = this.#model.placeOf(cursor)
    if (place.life !== fact.life || place.offset !== fact.offset) {
      this.#faults.push(`${id} has the cursor ${cursor}`)
    }
    this.#last = index
    this.#isHoleTold = false
    this.cursor = cursor
    this.seen.push(id)
  }

  /** Nothing is known of what was before the cursor; what comes after it must come. */
  #goOnFrom(cursor: string, snapshot?: Answer['snapshot']): void {
    const { life, offset } = this.#model.placeOf(cursor)
    const { facts } = this.#model
    const index = facts.findLastIndex((fact) =>
      fact.life === life ? fact.offset <= offset : fact.life < life,
    )
    if (this.#last !== undefined && index < this.#last) {
      this.#faults.push(`sent back from ${facts[this.#last]?.id} to ${cursor}`)
    }
    this.#last = index
    this.#isHoleTold = false
    this.cursor = cursor
    if (snapshot) this.#checkSnapshot(cursor, snapshot)
  }

  #checkSnapshot(cursor: string, snapshot: NonNullable<Answer['snapshot']>): void {
    const expected = `[${this.#model.statesAt(cursor).join(',')}]`
    if (JSON.stringify(snapshot) !== expected) {
      this.#faults.push(`the snapshot at ${cursor} is ${JSON.stringify(snapshot)}, not ${expected}`)
    }
  }
}
