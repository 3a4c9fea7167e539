import { eventSchema, STATE_CHANGE_EVENTS } from '@signalbox/contracts'
import { describe, expect, it } from 'vitest'
import { createWorkload } from '../../src/loadtest/workload.ts'

const OPTIONS = {
  runId: 'r',
  accounts: 3,
  conversations: 10,
  subscribers: 4,
  chainLength: 3,
  handlerMs: 5,
  payloadBytes: 64,
}

describe('the workload', () => {
  it('makes events that are valid and are state changes of their person', () => {
    const event = createWorkload(OPTIONS).eventOf(17, 0)
    expect(eventSchema.parse(event)).toEqual(event)
    expect(STATE_CHANGE_EVENTS.flow_state_change.schema.parse(event.event_data)).toMatchObject({
      id: '17',
    })
    expect(event.event_data.filling).toHaveLength(64)
  })

  it('keeps a conversation in one account and with one person', () => {
    const workload = createWorkload(OPTIONS)
    for (let index = 0; index < 10; index++) {
      const { account_key, person_key } = workload.eventOf(index, 0)
      const later = workload.eventOf(index + 10, 0)
      expect(later).toMatchObject({ account_key, person_key })
      expect(workload.conversationOf(index + 10)).toBe(workload.conversationOf(index))
    }
  })

  it('shows each event to exactly the subscribers who watch its person', () => {
    const workload = createWorkload({ ...OPTIONS, conversations: 3, subscribers: 7 })
    expect(workload.ranks).toBe(3)
    for (let index = 0; index < 6; index++) {
      const { account_key, person_key } = workload.eventOf(index, 0)
      const watchers = workload.subscribers.flatMap(({ accountKey, personKey }, subscriber) =>
        accountKey === account_key && personKey === person_key ? [subscriber] : [],
      )
      const expected = [0, 1, 2].flatMap((rank) => workload.subscriberOf(index, rank) ?? [])
      expect(expected).toEqual(watchers)
    }
  })

  it('has no persons and no ranks without subscribers', () => {
    const workload = createWorkload({ ...OPTIONS, subscribers: 0 })
    expect(workload.ranks).toBe(0)
    expect(workload.eventOf(0, 0)).not.toHaveProperty('person_key')
  })
})
