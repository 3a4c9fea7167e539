import { expect, test } from 'vitest'
import { selectorOf } from '../../src/events/filter.ts'

test('without a filter it is every event of the account', () => {
  expect(selectorOf({ 'event-type': [] })).toEqual({ all: true })
})

test('one type of event is named, several are a condition', () => {
  expect(selectorOf({ 'event-type': ['said'], conversation: 'c' })).toEqual({
    conversationKey: 'c',
    eventType: 'said',
  })
  expect(selectorOf({ 'event-type': ['a', 'b'] })).toEqual({
    all: true,
    when: 'event.event_type in ["a","b"]',
  })
})

test('conditions are joined whole', () => {
  expect(selectorOf({ 'event-type': ['a', 'b'], person: 'p', when: 'x || y' })).toEqual({
    personKey: 'p',
    when: '(event.event_type in ["a","b"]) && (x || y)',
  })
})
