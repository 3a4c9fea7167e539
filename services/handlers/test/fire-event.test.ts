import { testHandler } from '@signalbox/worker/testing'
import { expect, test } from 'vitest'
import { fireEventHandler } from '../src/fire-event.ts'

test('fires an event with conversation and person of the one that is handled', async () => {
  const { events } = await testHandler(fireEventHandler(), {
    config: { event_type: 'thanked' },
    event: { conversation_key: 'c1', person_key: 'p1' },
  })
  expect(events).toEqual([
    {
      conversation_type: 'poll',
      event_type: 'thanked',
      conversation_key: 'c1',
      person_key: 'p1',
      event_data: {},
    },
  ])
})

test('everything about it can be given', async () => {
  const event = {
    conversation_type: 'survey',
    event_type: 'asked',
    conversation_key: 'c2',
    person_key: 'p2',
    event_data: { n: 1 },
  }
  const { events } = await testHandler(fireEventHandler(), { config: event })
  expect(events).toEqual([event])
})

test('an event type that is none is said at its field', async () => {
  const { error } = await testHandler(fireEventHandler(), { config: { event_type: 'a b' } })
  expect(error?.code).toBe('SB_HANDLER_CONFIG')
  expect(error?.message).toContain('event_type: ')
})
