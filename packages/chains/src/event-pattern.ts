/** Sets of events: those that a trigger takes, and those that a step may fire, as far as that is known before an event is there. */
import type { Step, Trigger } from '@signalbox/contracts'

const WILDCARD = '*'
/** Its literal config says what it fires; what it leaves out is that of the event it handles. */
export const FIRE_EVENT = 'fire_event'

/** A set of events, by conversation_type, event_type and conversation_key; undefined: any. */
export type Pattern = readonly [type: Part, event: Part, conversation: Part]
export type Part = string | undefined

export const ANY: Pattern = [undefined, undefined, undefined]

/** The event types that a trigger takes, each once; `*`: any. */
export function eventTypesOfTrigger({ event_type }: Exclude<Trigger, { default: true }>): string[] {
  return Array.isArray(event_type) ? [...new Set(event_type)] : [event_type]
}

/** What a trigger takes: one pattern for each of its event types. */
export function patternsOf(trigger: Trigger): Pattern[] {
  if ('default' in trigger) return [ANY]
  const part = (name: string): Part => (name === WILDCARD ? undefined : name)
  return eventTypesOfTrigger(trigger).map((eventType) => [
    part(trigger.conversation_type),
    part(eventType),
    trigger.conversation_key,
  ])
}

/** n.b. what a step's config leaves out is that of the event it handles, but for the event type, which it does not take over. */
export function patternFiredBy({ config }: Step, trigger: Trigger): Pattern {
  const [type, , conversation] = patternsOf(trigger)[0] ?? ANY
  const part = (value: unknown, absent: Part): Part => {
    if (value === undefined) return absent
    return typeof value === 'string' && !value.includes('${{') ? value : undefined
  }
  return [
    part(config.conversation_type, type),
    part(config.event_type, undefined),
    part(config.conversation_key, conversation),
  ]
}

/** The same for the same pattern. n.b. no part has a line break. */
export function idOf(pattern: Pattern): string {
  return pattern.map((part) => part ?? '').join('\n')
}

/** The kind as far as it is known from either side. */
export function kindOf(fired: Pattern, trigger: Trigger): string {
  const [firedType, firedEvent] = fired
  if ('default' in trigger) return `${firedType ?? WILDCARD}.${firedEvent ?? WILDCARD}`
  const startedEvents = eventTypesOfTrigger(trigger).join('|')
  return `${firedType ?? trigger.conversation_type}.${firedEvent ?? startedEvents}`
}
