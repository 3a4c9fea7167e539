/** Requests and their answers, right and wrong. */
import { Violation } from '../../rule.ts'
import {
  type EdgeBench,
  type Person,
  plainAnswer,
  requireRefusal,
  requireSame,
  subscribe,
  unsubscribe,
  type WantedRefusal,
  withPerson,
} from '../edge-bench.ts'
import type { EdgeCheck } from '../edge-conformance.ts'

/** Below the rate that an edge may refuse. */
const BURST = 20

export const answersExactly: EdgeCheck = (bench) =>
  withPerson(bench, async (socket, person) => {
    const id = 1519211809934
    const text = `{"action":"subscribe_state_change","request_id":${id},"data":{"person_key":${JSON.stringify(person.personKey)},"entity":"flow"}}`
    requireSame('the answer', await socket.ask(text), plainAnswer(id))
    requireSame('the answer', await socket.ask(unsubscribe(person, 'flow', 2)), plainAnswer(2))
  })

export const answersInOrder: EdgeCheck = (bench) =>
  withPerson(bench, async (socket, person) => {
    for (let id = 1; id <= BURST; id += 1) {
      const request = id % 3 === 0 ? unsubscribe : subscribe
      socket.send(request(person, id % 2 === 0 ? 'flow' : 'step', id))
    }
    for (let id = 1; id <= BURST; id += 1) {
      requireSame(`answer ${id}`, await socket.next(), plainAnswer(id))
    }
  })

export const echoesRequestId: EdgeCheck = (bench) =>
  withPerson(bench, async (socket, person) => {
    for (const id of [0, -7, 0.5, Number.MAX_SAFE_INTEGER, 'x', '"\\\u2028', '日本'.repeat(64)]) {
      const answer = await socket.ask(subscribe(person, 'flow', id))
      requireSame('the answer', JSON.stringify(JSON.parse(answer)), plainAnswer(id))
    }
  })

export const ignoresUnknownFields: EdgeCheck = (bench) =>
  withPerson(bench, async (socket, person) => {
    const request = subscribe(person, 'flow', 1, { unknown: { deep: [1] }, constructor: null })
    requireSame('the answer', await socket.ask({ ...request, unknown: true }), plainAnswer(1))
  })

/** Each of them is answered, and the socket goes on. */
async function requireRefusals(
  bench: EdgeBench,
  refusals: (person: Person) => readonly (readonly [string | object, WantedRefusal])[],
): Promise<void> {
  await withPerson(bench, async (socket, person) => {
    for (const [request, wanted] of refusals(person)) await requireRefusal(socket, request, wanted)
    requireSame(
      'the answer afterwards',
      await socket.ask(subscribe(person, 'flow', 'after')),
      plainAnswer('after'),
    )
    if (socket.pending.length > 0) throw new Violation(`more came: ${socket.pending[0]}`)
  })
}

export const refusesNotJson: EdgeCheck = (bench) =>
  requireRefusals(bench, () =>
    ['', '{', 'nonsense', '{"action":"list",}', "{'action':'list'}"].map(
      (text) => [text, { status: 400, code: 'SB_INVALID_JSON' }] as const,
    ),
  )

export const refusesWrongShape: EdgeCheck = (bench) =>
  requireRefusals(bench, (person) => {
    const right = subscribe(person, 'flow', 1)
    const at = (path: string) => ({ status: 400, code: 'SB_INVALID_INPUT', path })
    const { data } = right
    return [
      ...['null', '7', '"text"', '[]', '[{}]'].map(
        (text) => [text, { status: 400, code: 'SB_INVALID_INPUT' }] as const,
      ),
      [{ ...right, action: undefined }, at('action')],
      [{ ...right, action: 7 }, at('action')],
      [{ ...right, request_id: undefined }, at('request_id')],
      [{ ...right, request_id: '' }, at('request_id')],
      [{ ...right, request_id: 'x'.repeat(129) }, at('request_id')],
      [{ ...right, request_id: { id: 1 } }, at('request_id')],
      [{ ...right, data: undefined }, at('data')],
      [{ ...right, data: [] }, at('data')],
      [{ ...right, data: { ...data, entity: 'conversation' } }, at('data.entity')],
      [{ ...right, data: { ...data, entity: undefined } }, at('data.entity')],
      [{ ...right, data: { ...data, person_key: undefined } }, at('data.person_key')],
      [{ ...right, data: { ...data, person_key: '' } }, at('data.person_key')],
      [{ ...right, data: { ...data, person_key: 'with space' } }, at('data.person_key')],
    ]
  })

export const refusesUnknownAction: EdgeCheck = (bench) =>
  requireRefusals(bench, (person) =>
    ['publish', 'SUBSCRIBE', '__proto__', 'constructor', ''].map(
      (action) =>
        [
          { ...subscribe(person, 'flow', 1), action },
          { status: 404, code: 'SB_UNKNOWN_ACTION' },
        ] as const,
    ),
  )
