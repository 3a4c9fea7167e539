/** How a socket is opened, and how it is refused. */
import { SOCKET_SUBPROTOCOL } from '@signalbox/contracts'
import { Violation } from '../../rule.ts'
import type { BareSocket, Opening } from '../bare-socket.ts'
import { type EdgeBench, plainAnswer, requireSame, subscribe } from '../edge-bench.ts'
import type { EdgeCheck } from '../edge-conformance.ts'

/** The socket works, and is the person's. */
async function requireOpen(
  bench: EdgeBench,
  opening: (token: string) => Opening,
  check?: (socket: BareSocket) => void,
): Promise<void> {
  const person = await bench.person()
  await using socket = await bench.open(person.token, opening(person.token))
  requireSame('the answer', await socket.ask(subscribe(person, 'flow', 1)), plainAnswer(1))
  check?.(socket)
}

export const takesTokenInHeader: EdgeCheck = (bench) =>
  requireOpen(bench, (token) => ({ headers: { authorization: `Bearer ${token}` } }))

export const takesTokenInSubprotocols: EdgeCheck = (bench) =>
  requireOpen(
    bench,
    (token) => ({ protocols: [SOCKET_SUBPROTOCOL, `bearer.${token}`] }),
    ({ protocol }) => requireSame('the selected subprotocol', protocol, SOCKET_SUBPROTOCOL),
  )

export const takesTokenInQuery: EdgeCheck = (bench) =>
  requireOpen(bench, (token) => ({ query: `?token=${encodeURIComponent(token)}` }))

export const refusesBadTokens: EdgeCheck = async (bench) => {
  const { token } = await bench.person()
  const [header = '', claims = '', signature = ''] = token.split('.')
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url')
  const everybody = part({ account_key: bench.accountKey, scope: 'account', exp: 4_102_444_800 })
  const bad: Record<string, Opening> = {
    'no token': {},
    'a token that is none': withToken('nonsense'),
    'a token of another signature': withToken(`${header}.${claims}.${reversed(signature)}`),
    'a token of other claims': withToken(`${header}.${everybody}.${signature}`),
    'a token that is not signed': withToken(`${part({ alg: 'none' })}.${everybody}.`),
  }
  for (const [what, opening] of Object.entries(bad)) {
    const outcome = await bench.attempt(opening)
    if (!('status' in outcome)) {
      await outcome[Symbol.asyncDispose]()
      throw new Violation(`a socket was opened with ${what}`)
    }
    const { status, body } = outcome
    if (status !== 401 || !body.includes('"SB_UNAUTHENTICATED"')) {
      throw new Violation(`with ${what} the upgrade was answered ${status} ${body}`)
    }
  }
}

export const refusesPlainHttp: EdgeCheck = async ({ url, timeoutMs }) => {
  const response = await fetch(url.replace(/^ws/, 'http'), {
    signal: AbortSignal.timeout(timeoutMs),
  })
  const body = await response.text()
  if (response.status !== 400 || !body.includes('"SB_INVALID_INPUT"')) {
    throw new Violation(`it was answered ${response.status} ${body}`)
  }
}

const withToken = (token: string): Opening => ({ headers: { authorization: `Bearer ${token}` } })

const reversed = (text: string) => [...text].toReversed().join('')
