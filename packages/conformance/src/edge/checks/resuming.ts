/** Cursors: what was missed comes, once and in order, or it is said that it does not. */
import { Violation } from '../../rule.ts'
import type { BareSocket } from '../bare-socket.ts'
import {
  changeFrame,
  type EdgeBench,
  parsed,
  plainAnswer,
  requireOk,
  requireRefusal,
  requireSame,
  stateChange,
  subscribe,
} from '../edge-bench.ts'
import type { EdgeCheck } from '../edge-conformance.ts'

const CHANGES = 300
/** Less than a log keeps. */
const MAX_MISSED = 40

interface Shown {
  data: { id: string }
  cursor?: string
}

const withCursor = (frame: string, cursor: string) =>
  `${frame.slice(0, -1)},"cursor":${JSON.stringify(cursor)}}`

/** The frame's cursor, when the rest of it is right. */
async function requireChange(socket: BareSocket, requestId: number, id: string): Promise<string> {
  const frame = await socket.next()
  const { cursor = '' } = parsed<Shown>(frame)
  requireSame('the frame', frame, withCursor(changeFrame(requestId, 'flow', id), cursor))
  return cursor
}

export const givesCursors: EdgeCheck = async (bench) => {
  const person = await bench.person()
  await using resuming = await bench.open(person.token)
  await using plain = await bench.open(person.token)
  const answer = await resuming.ask(subscribe(person, 'flow', 1, { resume: true }))
  const { cursor = '' } = parsed<{ cursor?: string }>(answer)
  requireSame('the answer', answer, withCursor(plainAnswer(1), cursor))
  await requireOk(plain, subscribe(person, 'flow', 2))
  await bench.publish([stateChange(person, 'flow', 'a')])
  const next = await requireChange(resuming, 1, 'a')
  requireSame('the frame without resume', await plain.next(), changeFrame(2, 'flow', 'a'))
  for (const found of [cursor, next]) {
    if (!/^[A-Za-z0-9_.~-]{1,128}$/.test(found)) {
      throw new Violation(`a cursor is "${found}": not 1 to 128 of A-Z a-z 0-9 _ . ~ -`)
    }
  }
  if (cursor === next) throw new Violation('the cursor did not change with the change')
}

export const recoversMissed: EdgeCheck = async (bench) => {
  const person = await bench.person()
  const ids = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => `c${from + n}`)
  const since = await (async () => {
    await using first = await bench.open(person.token)
    await requireOk(first, subscribe(person, 'flow', 1, { resume: true }))
    await bench.publish([stateChange(person, 'flow', 'c0')])
    return await requireChange(first, 1, 'c0')
  })()
  await bench.publish(ids(1, 20).map((id) => stateChange(person, 'flow', id)))
  await using second = await bench.open(person.token)
  const answer = await second.ask(subscribe(person, 'flow', 2, { since }))
  const recovered = `${withCursor(plainAnswer(2), since).slice(0, -1)},"recovered":true}`
  requireSame('the answer', answer, recovered)
  await bench.publish(ids(20, 25).map((id) => stateChange(person, 'flow', id)))
  for (const id of ids(1, 25)) await requireChange(second, 2, id)
}

export const tellsUnrecovered: EdgeCheck = async (bench) => {
  const person = await bench.person()
  await bench.publish([stateChange(person, 'flow', 'f1', 'completed')])
  await using socket = await bench.open(person.token)
  const request = subscribe(person, 'flow', 1, { since: 'another-log.7.abc' })
  const { cursor, recovered, snapshot } = await requireOk(socket, request)
  if (recovered !== false || cursor === undefined || !Array.isArray(snapshot)) {
    throw new Violation(`it was answered with ${JSON.stringify({ cursor, recovered, snapshot })}`)
  }
  await bench.publish([stateChange(person, 'flow', 'f2')])
  // n.b. the first change may have come to the channel after the answer.
  const frame = await socket.next()
  if (!frame.includes('"f1"')) return
  await requireChange(socket, 1, 'f2')
}

export const refusesNoCursor: EdgeCheck = async (bench) => {
  const person = await bench.person()
  await using socket = await bench.open(person.token)
  for (const since of ['', 'with space', 'x'.repeat(129), 7, null, {}]) {
    const request = subscribe(person, 'flow', 1, { since })
    await requireRefusal(socket, request, { status: 400, path: 'data.since' })
  }
}

export const resumesIdempotently: EdgeCheck = async (bench) => {
  const person = await bench.person()
  await using socket = await bench.open(person.token)
  const { cursor: since } = await requireOk(socket, subscribe(person, 'flow', 1, { resume: true }))
  await bench.publish([stateChange(person, 'flow', 'a')])
  await requireChange(socket, 1, 'a')
  const again = await requireOk(socket, subscribe(person, 'flow', 2, { since }))
  if (again.recovered !== true || again.cursor === undefined) {
    throw new Violation(`the repeated subscribe was answered ${JSON.stringify(again)}`)
  }
  await bench.publish([stateChange(person, 'flow', 'b')])
  await requireChange(socket, 1, 'b')
}

export const givesSnapshot: EdgeCheck = async (bench) => {
  const person = await bench.person()
  await using watching = await bench.open(person.token)
  await requireOk(watching, subscribe(person, 'step', 1))
  await bench.publish([
    stateChange(person, 'flow', 'f1', 'active'),
    stateChange(person, 'flow', 'f1', 'completed'),
    stateChange(person, 'step', 's1', 'paused'),
  ])
  await watching.next()
  await using socket = await bench.open(person.token)
  const { cursor, snapshot } = await requireOk(
    socket,
    subscribe(person, 'step', 1, { snapshot: true }),
  )
  const identifier = 'conformance'
  const wanted = [
    { entity: 'flow', id: 'f1', identifier, state: 'completed' },
    { entity: 'step', id: 's1', identifier, state: 'paused' },
  ]
  requireSame('the snapshot', JSON.stringify(snapshot), JSON.stringify(wanted))
  if (cursor !== undefined) throw new Violation('it has a cursor, which was not asked for')
}

export const keepsOrderOverReconnects: EdgeCheck = async (bench) => {
  const person = await bench.person()
  const told: string[] = []
  let since: string | undefined
  let published = 0

  /** Takes frames until one that is wanted; then the socket is cut, with whatever is on its way. */
  const watch = async (until: number) => {
    await using socket = await bench.open(person.token)
    const wish = since === undefined ? { resume: true } : { since }
    const answer = await requireOk(socket, subscribe(person, 'flow', 1, wish))
    if (since !== undefined && answer.recovered !== true) {
      throw new Violation(`what was missed after ${since} was not recovered`)
    }
    since ??= answer.cursor
    await publishSome(bench)
    while (told.length < until) {
      const { data, cursor } = parsed<Shown>(await socket.next())
      told.push(data.id)
      since = cursor
    }
  }
  const publishSome = async ({ publish }: EdgeBench) => {
    const count = Math.min(MAX_MISSED, CHANGES - published)
    if (count === 0) return
    const ids = Array.from({ length: count }, (_, n) => String(published + n))
    published += count
    await publish(ids.map((id) => stateChange(person, 'flow', id)))
  }

  await watch(0)
  while (told.length < CHANGES) {
    // Some are left on their way when the socket is cut.
    await watch(Math.max(told.length + 1, published - Math.floor(Math.random() * MAX_MISSED)))
  }
  const wrong = told.findIndex((id, n) => id !== String(n))
  if (wrong >= 0) throw new Violation(`change ${wrong} is ${told[wrong]}: one is missing or twice`)
}
