/**
 * What checks of an edge work with: persons and their tokens, sockets, and, when an API is given, events.
 *
 * Everything happens to persons and conversations of its own names, in the account that was given.
 */
import { randomUUID } from 'node:crypto'
import type { EventInput, SocketAnswer } from '@signalbox/contracts'
import { UnavailableError } from '@signalbox/kit'
import { NotChecked, Violation } from '../rule.ts'
import { type BareSocket, type Opening, openBareSocket, type Refusal } from './bare-socket.ts'

const TOKEN_TTL_S = 600

export interface EdgeConformanceOptions {
  /** `ws://` or `wss://`, without `/v1/socket`. */
  url: string
  /** For checks that need no other; absent: the API gives them. */
  token?: string | undefined
  /** Makes tokens and publishes; absent: the rules that need it are skipped. */
  api?: { url: string; key: string } | undefined
  /** Default `demo`. */
  accountKey?: string | undefined
  /** How long the edge may take for each answer and frame; default 10,000 ms. */
  timeoutMs?: number | undefined
}

/** `personKey` absent: the account. */
export interface Subject {
  personKey?: string | undefined
  ttlSeconds?: number
}

export interface Person {
  personKey: string
  token: string
}

export type Entity = 'flow' | 'step'

export type EdgeBench = ReturnType<typeof createEdgeBench>

export function createEdgeBench(options: EdgeConformanceOptions) {
  const { api, accountKey = 'demo', timeoutMs = 10_000 } = options
  const url = `${options.url.replace(/\/+$/, '')}/v1/socket`
  const mark = randomUUID().slice(0, 8)
  let named = 0

  function newName(kind: string): string {
    named += 1
    return `conformance-${mark}-${kind}-${named}`
  }

  async function callApi(path: string, body: unknown): Promise<Record<string, unknown>> {
    if (!api) throw new NotChecked('no API was given')
    const response = await fetch(
      `${api.url.replace(/\/+$/, '')}/v1/accounts/${encodeURIComponent(accountKey)}${path}`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${api.key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(30_000),
      },
    ).catch((cause: unknown) => {
      throw new UnavailableError(`the API at ${api.url} cannot be reached`, { cause })
    })
    const content = (await response.json().catch(() => ({}))) as Record<string, unknown>
    if (response.ok) return content
    throw new UnavailableError(`the API answered POST ${path} with ${response.status}`)
  }

  async function token({ personKey, ttlSeconds = TOKEN_TTL_S }: Subject): Promise<string> {
    const of = personKey === undefined ? { scope: 'account' } : { person_key: personKey }
    return String((await callApi('/tokens', { ...of, ttl_seconds: ttlSeconds })).token)
  }

  async function open(with_: string, opening?: Opening): Promise<BareSocket> {
    const outcome = await attempt(opening ?? { headers: { authorization: `Bearer ${with_}` } })
    if (!('status' in outcome)) return outcome
    throw new Violation(`the socket was refused: ${outcome.status} ${outcome.body}`)
  }

  const attempt = (opening: Opening): Promise<BareSocket | Refusal> =>
    openBareSocket(url, opening, timeoutMs)

  return {
    url,
    accountKey,
    timeoutMs,
    newName,
    token,
    attempt,
    open,

    /** Someone new when there is an API, else whom the given token is for. */
    async person(): Promise<Person> {
      if (api || options.token === undefined) {
        const personKey = newName('person')
        return { personKey, token: await token({ personKey }) }
      }
      return { personKey: subjectOf(options.token) ?? newName('person'), token: options.token }
    },

    /** Confirmed, in order. */
    async publish(events: readonly Partial<EventInput>[]): Promise<void> {
      const complete = events.map((event) => ({
        account_key: accountKey,
        conversation_key: `conformance-${mark}`,
        conversation_type: 'conformance',
        event_type: 'checked',
        event_data: {},
        ...event,
      }))
      await callApi('/events', complete.length === 1 ? complete[0] : complete)
    },
  }
}

/** A person and a socket of theirs, for one check. */
export async function withPerson(
  bench: EdgeBench,
  check: (socket: BareSocket, person: Person) => Promise<void>,
): Promise<void> {
  const person = await bench.person()
  await using socket = await bench.open(person.token)
  await check(socket, person)
}

/** Of a JWT. Undefined: it is for the account, or no JWT. */
function subjectOf(token: string): string | undefined {
  try {
    const claims = JSON.parse(
      Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(),
    ) as Record<string, unknown>
    return typeof claims.sub === 'string' ? claims.sub : undefined
  } catch {
    return undefined
  }
}

export function subscribe(
  { personKey }: Pick<Person, 'personKey'>,
  entity: Entity,
  requestId: number | string,
  more: object = {},
) {
  return {
    action: 'subscribe_state_change',
    request_id: requestId,
    data: { person_key: personKey, entity, ...more },
  }
}

export function unsubscribe(
  person: Pick<Person, 'personKey'>,
  entity: Entity,
  requestId: number | string,
) {
  return { ...subscribe(person, entity, requestId), action: 'unsubscribe_state_change' }
}

export function stateChange(
  { personKey }: Pick<Person, 'personKey'>,
  entity: Entity,
  id: string,
  state = 'active',
): Partial<EventInput> {
  return {
    event_type: `${entity}_state_change`,
    person_key: personKey,
    event_data: { id, identifier: 'conformance', state, previous_state: null },
  }
}

/** `cursor`: what the frame has more. */
export function changeFrame(
  requestId: number | string,
  entity: Entity,
  id: string,
  state = 'active',
): string {
  return `{"event":"state_change","request_id":${JSON.stringify(requestId)},"data":{"entity":"${entity}","id":"${id}","identifier":"conformance","state":"${state}","previous_state":null}}`
}

export function plainAnswer(requestId: number | string): string {
  return `{"request_id":${JSON.stringify(requestId)},"errors":[],"status":200}`
}

export function requireSame(what: string, found: string, wanted: string): void {
  if (found !== wanted) throw new Violation(`${what} is ${found}, not ${wanted}`)
}

export function parsed<Content>(frame: string): Content {
  try {
    return JSON.parse(frame) as Content
  } catch {
    throw new Violation(`a frame is not JSON: ${frame}`)
  }
}

/** The answer's own fields when it is 200. */
export async function requireOk(
  socket: BareSocket,
  request: { request_id: number | string } & object,
): Promise<SocketAnswer> {
  const frame = await socket.ask(request)
  const answer = parsed<SocketAnswer>(frame)
  if (answer.status !== 200 || answer.request_id !== request.request_id) {
    throw new Violation(`${shownOf(request)} was answered ${frame}`)
  }
  return answer
}

export interface WantedRefusal {
  status: number
  code?: string
  path?: string
}

/** Asks, and holds the refusal to what it has to be. */
export async function requireRefusal(
  socket: BareSocket,
  request: string | object,
  { status, code, path }: WantedRefusal,
): Promise<void> {
  requireRefused(request, await socket.ask(request), { status, code: code!, path: path! })
}

export function requireRefused(
  request: string | object,
  frame: string,
  { status, code, path }: WantedRefusal,
): void {
  const { errors, status: answered } = parsed<SocketAnswer>(frame)
  const isRight =
    answered === status &&
    errors.some(
      (error) =>
        (code === undefined || error.code === code) && (path === undefined || error.path === path),
    )
  if (isRight) return
  throw new Violation(
    `${shownOf(request)} was answered ${frame}, not ${[status, code, path].filter(Boolean).join(' ')}`,
  )
}

/** Without the token that it may have. */
function shownOf(request: string | object): string {
  if (typeof request === 'string') return request
  return JSON.stringify(request, (key, value: unknown) => (key === 'token' ? '…' : value))
}
