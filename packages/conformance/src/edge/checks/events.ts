/** General subscriptions: to conversations, to kinds of event, to the whole account. */
import { Violation } from '../../rule.ts'
import type { BareSocket } from '../bare-socket.ts'
import {
  type EdgeBench,
  parsed,
  requireOk,
  requireRefusal,
  requireSame,
  subscribe,
} from '../edge-bench.ts'
import type { EdgeCheck } from '../edge-conformance.ts'

const requestOf = (requestId: number, data: object, action = 'subscribe') => ({
  action,
  request_id: requestId,
  data,
})

async function withAccount(
  bench: EdgeBench,
  check: (socket: BareSocket) => Promise<void>,
): Promise<void> {
  await using socket = await bench.open(await bench.token({}))
  await check(socket)
}

interface EventFrame {
  event: string
  request_id: number
  data: { event_data: { n: number } }
}

/** The next frames, as `request_id:n`, in any order between subscriptions. */
async function shown(socket: BareSocket, count: number): Promise<string[]> {
  const found: string[] = []
  for (let frame = 0; frame < count; frame += 1) {
    const { event, request_id, data } = parsed<EventFrame>(await socket.next())
    requireSame('the event of the frame', event, 'event')
    found.push(`${request_id}:${data.event_data.n}`)
  }
  return found.toSorted()
}

export const showsEvents: EdgeCheck = (bench) =>
  withAccount(bench, async (socket) => {
    const conversation_key = bench.newName('conversation')
    const conversation_type = bench.newName('type')
    const event_type = bench.newName('kind')
    await requireOk(socket, requestOf(1, { conversation_key }))
    await requireOk(socket, requestOf(2, { conversation_type }))
    await requireOk(socket, requestOf(3, { event_type, conversation_type }))
    await requireOk(socket, requestOf(3, { event_type, conversation_type }))
    await bench.publish([
      { event_data: { n: 0 } },
      { conversation_key, event_data: { n: 1 } },
      { conversation_type, event_data: { n: 2 } },
      { event_type, event_data: { n: 3 } },
      { conversation_type, event_type, event_data: { n: 4 } },
      { conversation_key, conversation_type, event_type, event_data: { n: 5 } },
    ])
    const wanted = ['1:1', '1:5', '2:2', '2:4', '2:5', '3:4', '3:5']
    requireSame(
      'what came',
      JSON.stringify(await shown(socket, wanted.length)),
      JSON.stringify(wanted),
    )
    const event = {
      event_id: bench.newName('event'),
      account_key: bench.accountKey,
      conversation_key,
      conversation_type: 'conformance',
      event_type: 'checked',
      event_data: { n: 6, text: 'naïve ☃', nested: { list: [1, null, true] } },
      timestamp: new Date().toISOString(),
      person_key: 'somebody',
    }
    await bench.publish([event])
    const frame = parsed<{ data: Record<string, unknown> }>(await socket.next())
    requireSame('the order of the keys', Object.keys(frame).join(), 'event,request_id,data')
    for (const [field, value] of Object.entries(event)) {
      requireSame(`data.${field}`, JSON.stringify(frame.data[field]), JSON.stringify(value))
    }
  })

export const filtersEvents: EdgeCheck = (bench) =>
  withAccount(bench, async (socket) => {
    const conversation_key = bench.newName('conversation')
    const when = (condition: string) => ({ conversation_key, when: condition })
    await requireOk(socket, requestOf(1, when('event.event_data.n >= 2')))
    await requireOk(socket, requestOf(2, when('event.event_data.n == 1')))
    // One that cannot be evaluated matches nothing, and harms nobody.
    await requireOk(socket, requestOf(3, when('event.event_data.absent.deeper == 1')))
    await bench.publish([1, 2, 3].map((n) => ({ conversation_key, event_data: { n } })))
    const wanted = ['1:2', '1:3', '2:1']
    requireSame('what came', JSON.stringify(await shown(socket, 3)), JSON.stringify(wanted))
  })

export const refusesBadFilter: EdgeCheck = async (bench) => {
  const person = await bench.person()
  await using socket = await bench.open(person.token)
  for (const when of ['event.', 'event.event_data.n >', '', 7, 'nonsense(event)']) {
    await requireRefusal(socket, requestOf(1, { event_type: 'checked', when }), {
      status: 400,
      path: 'data.when',
    })
  }
}

export const requiresSelector: EdgeCheck = async (bench) => {
  const person = await bench.person()
  await using socket = await bench.open(person.token)
  for (const data of [{}, { when: 'true' }, { all: false }, { unknown: 'x' }]) {
    for (const action of ['subscribe', 'unsubscribe']) {
      await requireRefusal(socket, requestOf(1, data, action), { status: 400 })
    }
  }
}

export const unsubscribesEvents: EdgeCheck = (bench) =>
  withAccount(bench, async (socket) => {
    const conversation_key = bench.newName('conversation')
    const when = 'event.event_data.n > 0'
    await requireOk(socket, requestOf(1, { conversation_key }))
    await requireOk(socket, requestOf(2, { conversation_key, when }))
    await requireOk(socket, requestOf(3, { conversation_key, when: 'true' }, 'unsubscribe'))
    await requireOk(socket, requestOf(4, { conversation_key }, 'unsubscribe'))
    await requireOk(socket, requestOf(5, { conversation_key }, 'unsubscribe'))
    await bench.publish([1, 2].map((n) => ({ conversation_key, event_data: { n } })))
    requireSame('what came', JSON.stringify(await shown(socket, 2)), '["2:1","2:2"]')
  })

export const listsSubscriptions: EdgeCheck = async (bench) => {
  const person = await bench.person()
  await using socket = await bench.open(person.token)
  const first = subscribe(person, 'flow', 'first')
  const second = requestOf(2, { event_type: 'checked', when: 'true', resume: true })
  await requireOk(socket, first)
  await requireOk(socket, second)
  const asked = { action: 'list', request_id: 3 }
  const answer = parsed<{ subscriptions?: unknown }>(await socket.ask(asked))
  requireSame(
    'the list',
    JSON.stringify(sorted(answer.subscriptions)),
    JSON.stringify(sorted([first, second])),
  )
  if (Object.keys(answer).join() !== 'request_id,errors,status,subscriptions') {
    throw new Violation(`the keys of the answer are ${Object.keys(answer).join()}`)
  }
}

/** With the keys of every object in order: which order the data of a list has is not promised. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]) => [key, sorted(inner)] as const)
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
