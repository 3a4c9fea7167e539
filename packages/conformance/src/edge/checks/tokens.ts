/** The end of a token, and its renewal. */
import type { SocketAnswer } from '@signalbox/contracts'
import { Violation } from '../../rule.ts'
import {
  type EdgeBench,
  parsed,
  plainAnswer,
  requireOk,
  requireSame,
  subscribe,
} from '../edge-bench.ts'
import type { EdgeCheck } from '../edge-conformance.ts'

const SHORT_TTL_S = 2

const refresh = (token: unknown) => ({ action: 'refresh_token', request_id: 'r', data: { token } })

async function shortLived(bench: EdgeBench) {
  const personKey = bench.newName('person')
  return { personKey, token: await bench.token({ personKey, ttlSeconds: SHORT_TTL_S }) }
}

export const closesAtExpiry: EdgeCheck = async (bench) => {
  const { token } = await shortLived(bench)
  await using socket = await bench.open(token)
  const { code, reason } = await socket.ended()
  if (code !== 4001) throw new Violation(`it was closed with ${code} ${reason}, not 4001`)
}

export const refreshesToken: EdgeCheck = async (bench) => {
  const person = await shortLived(bench)
  await using neighbour = await bench.open(person.token)
  await using socket = await bench.open(person.token)
  const answer = await requireOk(
    socket,
    refresh(await bench.token({ personKey: person.personKey })),
  )
  const expiresAt = (answer as { expires_at?: string }).expires_at ?? ''
  if (!(Date.parse(expiresAt) > Date.now() + SHORT_TTL_S * 1_000)) {
    throw new Violation(`expires_at is "${expiresAt}", not the end of the new token`)
  }
  // The end of a socket with the same first token proves that its time has come.
  await neighbour.ended()
  const request = subscribe(person, 'flow', 'after')
  requireSame('the answer after the first token', await socket.ask(request), plainAnswer('after'))
}

export const refusesBadRefresh: EdgeCheck = async (bench) => {
  const person = await bench.person()
  const other = bench.newName('other')
  await using socket = await bench.open(person.token)
  await requireOk(socket, subscribe(person, 'flow', 1))
  for (const token of [await bench.token({ personKey: other }), 'nonsense', '', 7, undefined]) {
    const { status } = parsed<SocketAnswer>(await socket.ask(refresh(token)))
    if (![400, 401, 403].includes(status)) {
      throw new Violation(`a new token that is no good was answered with ${status}`)
    }
  }
  requireSame(
    'the answer afterwards',
    await socket.ask(subscribe(person, 'flow', 2)),
    plainAnswer(2),
  )
}
