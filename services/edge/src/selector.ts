/**
 * A selector: what a subscription is subscribed to, as the client said it, and which messages that is. Two subscriptions of one
 * connection with the same selector are one.
 */
import type { Entity, TokenClaims, VumiApiEvent } from '@signalbox/contracts'
import { compileCondition } from '@signalbox/expressions'
import { InvalidInputError } from '@signalbox/kit'
import type { Channel } from '@signalbox/store'
import type { LiveMessage } from './live-message.ts'

/** Steps of one evaluation of a filter: a client may have many filters, and every event meets them. */
const MAX_FILTER_STEPS = 5_000

/** One person's flow or step states. */
export interface StateSelector {
  kind: 'state'
  person_key: string
  entity: Entity
}

/** The events that have everything that is named. */
export interface EventSelector {
  kind: 'event'
  conversation_key?: string | undefined
  conversation_type?: string | undefined
  event_type?: string | undefined
  person_key?: string | undefined
  all?: true | undefined
  when?: string | undefined
}

export type Selector = StateSelector | EventSelector

/** Of an event selector, in one order whatever the client's is. */
export const EVENT_FIELDS = [
  'conversation_key',
  'conversation_type',
  'event_type',
  'person_key',
  'all',
  'when',
] as const satisfies readonly (keyof EventSelector)[]

/** Which messages of a channel. */
export type MessageFilter = { kind: 'state'; entity: Entity } | EventFilter

export interface EventFilter {
  kind: 'event'
  conversationKey?: string
  conversationType?: string
  eventType?: string
  personKey?: string
  when?: EventCondition
}

export interface EventCondition {
  text: string
  /** Throws when it cannot be answered. */
  isMetBy(event: VumiApiEvent): boolean
}

/** Different for different interests. */
export function selectorKey(selector: Selector): string {
  if (selector.kind === 'state') return `${selector.entity} ${selector.person_key}`
  return `event ${JSON.stringify(EVENT_FIELDS.map((field) => selector[field] ?? null))}`
}

/** The fields as the client named them, for `list`. */
export function selectorData(selector: Selector): Record<string, string | true> {
  if (selector.kind === 'state') {
    return { person_key: selector.person_key, entity: selector.entity }
  }
  return Object.fromEntries(
    EVENT_FIELDS.flatMap((field) => {
      const value = selector[field]
      return value === undefined ? [] : [[field, value]]
    }),
  )
}

export function channelOf(selector: Selector, accountKey: string): Channel {
  return selector.kind === 'state'
    ? { accountKey, kind: 'person', personKey: selector.person_key }
    : { accountKey, kind: 'account' }
}

/**
 * What the selector comes to under these claims: a person's token sees the events about that person, whatever it asks for. Throws
 * `InvalidInputError` at `data.when`.
 */
export function filterOf(
  selector: Selector,
  { sub, scope }: Pick<TokenClaims, 'sub' | 'scope'>,
): MessageFilter {
  if (selector.kind === 'state') return { kind: 'state', entity: selector.entity }
  const { conversation_key, conversation_type, event_type, when } = selector
  const personKey = scope === 'account' ? selector.person_key : requireSubject(sub)
  return {
    kind: 'event',
    ...(conversation_key === undefined ? {} : { conversationKey: conversation_key }),
    ...(conversation_type === undefined ? {} : { conversationType: conversation_type }),
    ...(event_type === undefined ? {} : { eventType: event_type }),
    ...(personKey === undefined ? {} : { personKey }),
    ...(when === undefined ? {} : { when: compileWhen(when) }),
  }
}

/** `onFault`: the condition could not be answered, which counts as no match. */
export function matches(filter: MessageFilter, message: LiveMessage, onFault: () => void): boolean {
  const { content } = message
  if (filter.kind === 'state') {
    return content.kind === 'state_change' && content.entity === filter.entity
  }
  if (content.kind !== 'event') return false
  const { event } = content
  const { conversationKey, conversationType, eventType, personKey, when } = filter
  const isWanted =
    (personKey === undefined || event.person_key === personKey) &&
    (conversationKey === undefined || event.conversation_key === conversationKey) &&
    (conversationType === undefined || event.conversation_type === conversationType) &&
    (eventType === undefined || event.event_type === eventType)
  return isWanted && (when === undefined || message.meets(when, onFault))
}

function compileWhen(text: string): EventCondition {
  try {
    const condition = compileCondition(text)
    const foreign = condition.references.find(([root]) => root !== 'event')
    if (foreign)
      throw new InvalidInputError(`"${foreign[0]}" does not exist here; there is "event"`)
    return {
      text,
      isMetBy: (event) => condition.evaluate({ event }, { maxSteps: MAX_FILTER_STEPS }),
    }
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error
    const { message } = error
    throw new InvalidInputError(`data.when: ${message}`, {
      code: 'SB_INVALID_EXPRESSION',
      details: [{ path: 'data.when', message }],
      cause: error,
    })
  }
}

/** n.b. never undefined: no restriction would show everybody's events. */
function requireSubject(sub: string | undefined): string {
  if (sub === undefined) throw new Error("a token that is not the account's names nobody")
  return sub
}
