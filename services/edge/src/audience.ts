/**
 * Who in this process listens to a channel, found by what a message is about: of many thousand subscriptions with filters only those
 * whose most telling field fits are looked at for an event, and their conditions last.
 */

import type { LiveMessage } from './live-message.ts'
import { type EventFilter, type MessageFilter, matches } from './selector.ts'

export interface Listener {
  readonly filter: MessageFilter
  onMessage(message: LiveMessage): void
}

export class Audience<Member extends Listener> {
  readonly #onFault: () => void
  readonly #members = new Set<Member>()
  readonly #byTopic = new Map<string, Set<Member>>()

  /** `onFault` is told of each condition that could not be answered. */
  constructor(onFault: () => void) {
    this.#onFault = onFault
  }

  add(member: Member): void {
    this.#members.add(member)
    const topic = topicOf(member.filter)
    const listeners = this.#byTopic.get(topic)
    if (listeners) listeners.add(member)
    else this.#byTopic.set(topic, new Set([member]))
  }

  delete(member: Member): void {
    this.#members.delete(member)
    const topic = topicOf(member.filter)
    const listeners = this.#byTopic.get(topic)
    listeners?.delete(member)
    if (listeners?.size === 0) this.#byTopic.delete(topic)
  }

  /** n.b. who leaves meanwhile is told no more. */
  [Symbol.iterator](): Iterator<Member> {
    return this.#members.values()
  }

  deliver(message: LiveMessage): void {
    for (const topic of topicsOf(message)) {
      const members = this.#byTopic.get(topic) ?? []
      if (message.content.kind === 'state_change') {
        // The topic is all that a filter of state changes asks for.
        for (const member of members) member.onMessage(message)
        continue
      }
      for (const member of members) {
        if (matches(member.filter, message, this.#onFault)) member.onMessage(message)
      }
    }
  }
}

/** The one that a member is found under: the field that the fewest events share. */
function topicOf(filter: MessageFilter): string {
  return filter.kind === 'state' ? `entity ${filter.entity}` : eventTopicOf(filter)
}

function eventTopicOf(filter: EventFilter): string {
  const { personKey, conversationKey, conversationType, eventType } = filter
  if (personKey !== undefined) return `person ${personKey}`
  if (conversationKey !== undefined) return `conversation ${conversationKey}`
  if (conversationType !== undefined && eventType !== undefined) {
    return `kind ${conversationType} ${eventType}`
  }
  if (eventType !== undefined) return `event_type ${eventType}`
  if (conversationType !== undefined) return `conversation_type ${conversationType}`
  return 'all'
}

/** Every topic that a message belongs to. */
function topicsOf({ content }: LiveMessage): string[] {
  if (content.kind === 'state_change') return [`entity ${content.entity}`]
  const { person_key, conversation_key, conversation_type, event_type } = content.event
  return [
    ...(person_key === undefined ? [] : [`person ${person_key}`]),
    `conversation ${conversation_key}`,
    `kind ${conversation_type} ${event_type}`,
    `event_type ${event_type}`,
    `conversation_type ${conversation_type}`,
    'all',
  ]
}
