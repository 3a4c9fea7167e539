import type { EventInput } from '../src/index.ts'

/** The least that an event needs, with `fields` over it. */
export function eventInput(fields: object = {}): EventInput {
  return {
    account_key: 'acme',
    conversation_key: 'spring-poll',
    conversation_type: 'poll',
    event_type: 'poll_complete',
    event_data: {},
    ...fields,
  }
}
