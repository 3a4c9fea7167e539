/** Which events to follow: the options of `events tail` and `listen`, and the subscription that they come to. */
import type { EventSelector } from '@signalbox/client'
import { keySchema, LIMITS, nameSchema } from '@signalbox/contracts'
import { z } from 'zod'

export const FILTER_OPTIONS = {
  conversation: { type: 'string' },
  'conversation-type': { type: 'string' },
  'event-type': { type: 'string', multiple: true },
  person: { type: 'string' },
  when: { type: 'string' },
} as const

export const FILTER_USAGE = `Which events (default: all of the account; those that have everything that is named)
  --conversation <key>
  --conversation-type <name>
  --event-type <name>     repeatable: any of them
  --person <key>
  --when <condition>      CEL over event (docs/expressions.md): 'event.event_data.score >= 5'`

export const filterShape = {
  conversation: keySchema.optional(),
  'conversation-type': nameSchema.optional(),
  'event-type': z.array(nameSchema).max(50, 'may be given 50 times').default([]),
  person: keySchema.optional(),
  when: z.string().min(1).max(LIMITS.maxExpressionChars).optional(),
}

const filterSchema = z.object(filterShape)
export type Filter = z.infer<typeof filterSchema>

export function selectorOf(filter: Filter): EventSelector {
  const types = filter['event-type']
  const conditions = [
    // n.b. a subscription has one type of event; several are a condition. JSON of names is CEL, too.
    ...(types.length > 1 ? [`event.event_type in ${JSON.stringify(types)}`] : []),
    ...(filter.when === undefined ? [] : [filter.when]),
  ]
  const named = {
    conversationKey: filter.conversation,
    conversationType: filter['conversation-type'],
    eventType: types.length === 1 ? types[0] : undefined,
    personKey: filter.person,
  }
  const isNamed = Object.values(named).some((value) => value !== undefined)
  return {
    ...named,
    ...(isNamed ? {} : { all: true }),
    ...(conditions.length === 0 ? {} : { when: joined(conditions) }),
  }
}

function joined(conditions: readonly string[]): string {
  return conditions.length === 1 ? conditions[0]! : conditions.map((one) => `(${one})`).join(' && ')
}
