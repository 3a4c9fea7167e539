/** A message of a channel as it is delivered: decoded once, and encoded once, however many sockets it goes to. */
import type { Entity, VumiApiEvent } from '@signalbox/contracts'
import type { Channel, ChannelMessage, ChannelPosition } from '@signalbox/store'
import { cursorOf } from './cursor.ts'
import { type Frame, FrameBody } from './frame.ts'
import type { EventCondition } from './selector.ts'
import type { Shown } from './showings.ts'
import { decodePayload, parseJson } from './state-change.ts'

export type LiveContent =
  | { kind: 'state_change'; entity: Entity }
  | { kind: 'event'; event: VumiApiEvent }

export interface LiveMessageParts {
  accountKey: string
  position: ChannelPosition
  content: LiveContent
  /** `data` of the frame, as JSON. */
  dataJson: string
  /** When the source says it happened; Unix milliseconds. */
  timestampMs: number
}

export class LiveMessage implements Shown {
  readonly accountKey: string
  readonly position: ChannelPosition
  readonly content: LiveContent
  readonly #dataJson: string
  readonly #timestampMs: number
  #plain: FrameBody | undefined
  #withCursor: FrameBody | undefined
  #answers: Map<string, boolean> | undefined

  constructor({ accountKey, position, content, dataJson, timestampMs }: LiveMessageParts) {
    this.accountKey = accountKey
    this.position = position
    this.content = content
    this.#dataJson = dataJson
    this.#timestampMs = timestampMs
  }

  /** The messages about an event are known by its id. */
  get eventId(): string {
    return this.position.id
  }

  /** The same one for the same prefix. */
  frame(prefix: string): Frame {
    this.#plain ??= this.#body('}')
    return this.#plain.after(prefix)
  }

  /** The same one for the same prefix; its last key is the cursor. */
  frameWithCursor(prefix: string): Frame {
    this.#withCursor ??= this.#body(`,"cursor":"${cursorOf(this.position)}"}`)
    return this.#withCursor.after(prefix)
  }

  /** Evaluated once per condition, whoever asks; `onFault`: it could not be answered, which is no. */
  meets(condition: EventCondition, onFault: () => void): boolean {
    this.#answers ??= new Map()
    let answer = this.#answers.get(condition.text)
    if (answer === undefined) {
      answer = this.#evaluate(condition, onFault)
      this.#answers.set(condition.text, answer)
    }
    return answer
  }

  #body(end: string): FrameBody {
    return new FrameBody(this.content.kind, this.#dataJson + end, this.#timestampMs)
  }

  #evaluate(condition: EventCondition, onFault: () => void): boolean {
    if (this.content.kind !== 'event') return false
    try {
      return condition.isMetBy(this.content.event)
    } catch {
      onFault()
      return false
    }
  }
}

/** Undefined: not a message that this version understands. */
export function decodeMessage(
  channel: Channel,
  { epoch, offset, id, payload }: ChannelMessage,
): LiveMessage | undefined {
  const { accountKey } = channel
  const position = { epoch, offset, id }
  if (channel.kind === 'person') {
    const change = decodePayload(payload)
    if (!change) return undefined
    const { entity, dataJson, timestampMs } = change
    return new LiveMessage({
      accountKey,
      position,
      content: { kind: 'state_change', entity },
      dataJson,
      timestampMs,
    })
  }
  const event = decodeEvent(payload)
  if (event?.account_key !== accountKey) return undefined
  return new LiveMessage({
    accountKey,
    position,
    content: { kind: 'event', event },
    dataJson: payload,
    timestampMs: Date.parse(event.timestamp),
  })
}

const EVENT_STRINGS = [
  'event_id',
  'account_key',
  'conversation_key',
  'conversation_type',
  'event_type',
  'timestamp',
]

/** n.b. not by the schema, which was asked when the event came in and costs ten times as much. */
function decodeEvent(payload: string): VumiApiEvent | undefined {
  const value = parseJson(payload)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const fields = value as Record<string, unknown>
  const isEvent =
    EVENT_STRINGS.every((name) => typeof fields[name] === 'string') &&
    (fields.person_key === undefined || typeof fields.person_key === 'string')
  return isEvent ? (fields as VumiApiEvent) : undefined
}
