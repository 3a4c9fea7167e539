/** A person's state changes: who sees which, how often, and in which frames. */
import { Violation } from '../../rule.ts'
import {
  changeFrame,
  parsed,
  plainAnswer,
  requireOk,
  requireRefusal,
  requireSame,
  stateChange,
  subscribe,
  unsubscribe,
  withPerson,
} from '../edge-bench.ts'
import type { EdgeCheck } from '../edge-conformance.ts'

const TIMES = 5

export const showsChanges: EdgeCheck = (bench) =>
  withPerson(bench, async (socket, person) => {
    await requireOk(socket, subscribe(person, 'flow', 'the "first"'))
    await bench.publish([stateChange(person, 'flow', 'f1', 'completed')])
    const wanted = changeFrame('the "first"', 'flow', 'f1', 'completed')
    requireSame('the frame', await socket.next(), wanted)
  })

export const subscribesIdempotently: EdgeCheck = (bench) =>
  withPerson(bench, async (socket, person) => {
    for (let id = 1; id <= TIMES; id += 1) {
      requireSame('the answer', await socket.ask(subscribe(person, 'flow', id)), plainAnswer(id))
    }
    await bench.publish([stateChange(person, 'flow', 'a'), stateChange(person, 'flow', 'b')])
    requireSame('the frame', await socket.next(), changeFrame(1, 'flow', 'a'))
    requireSame('the frame', await socket.next(), changeFrame(1, 'flow', 'b'))
  })

export const unsubscribesIdempotently: EdgeCheck = (bench) =>
  withPerson(bench, async (socket, person) => {
    const answer = (id: number) => socket.ask(unsubscribe(person, 'flow', id))
    requireSame('the answer', await answer(1), plainAnswer(1))
    await requireOk(socket, subscribe(person, 'flow', 2))
    await requireOk(socket, subscribe(person, 'step', 3))
    requireSame('the answer', await answer(4), plainAnswer(4))
    requireSame('the answer', await answer(5), plainAnswer(5))
    // The step proves that what was before it would have come.
    await bench.publish([stateChange(person, 'flow', 'gone'), stateChange(person, 'step', 'proof')])
    requireSame('the frame', await socket.next(), changeFrame(3, 'step', 'proof'))
    await requireOk(socket, subscribe(person, 'flow', 6))
    await bench.publish([stateChange(person, 'flow', 'anew')])
    requireSame('the frame', await socket.next(), changeFrame(6, 'flow', 'anew'))
  })

export const separatesEntities: EdgeCheck = (bench) =>
  withPerson(bench, async (socket, person) => {
    await requireOk(socket, subscribe(person, 'step', 1))
    await bench.publish([stateChange(person, 'flow', 'a'), stateChange(person, 'step', 'b')])
    requireSame('the frame', await socket.next(), changeFrame(1, 'step', 'b'))
  })

export const keepsPersonsApart: EdgeCheck = (bench) =>
  withPerson(bench, async (socket, person) => {
    const other = { personKey: bench.newName('other') }
    const forbidden = { status: 403, code: 'SB_FORBIDDEN' }
    for (const request of [subscribe, unsubscribe]) {
      await requireRefusal(socket, request(other, 'flow', 1), forbidden)
    }
    const wide = (data: object) => ({ action: 'subscribe', request_id: 2, data })
    await requireRefusal(socket, wide({ all: true }), forbidden)
    await requireRefusal(socket, wide({ person_key: other.personKey }), forbidden)
    const conversation_key = bench.newName('conversation')
    const selectors = [
      { conversation_key },
      { conversation_type: 'conformance' },
      { event_type: 'flow_state_change' },
      { conversation_key, when: `event.person_key == "${other.personKey}"` },
    ]
    for (const data of selectors) await requireOk(socket, wide(data))
    const of = (personKey: string | undefined, id: string) => ({
      ...stateChange({ personKey: personKey ?? '' }, 'flow', id),
      person_key: personKey,
      conversation_key,
    })
    await bench.publish([of(other.personKey, 'a'), of(undefined, 'b'), of(person.personKey, 'own')])
    for (let frame = 0; frame < 3; frame += 1) {
      const { data } = parsed<{ data: { event_data: { id: string } } }>(await socket.next())
      if (data.event_data.id !== 'own') {
        throw new Violation(`a person's token was shown an event that is not theirs`)
      }
    }
  })
