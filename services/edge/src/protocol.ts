/**
 * The edge protocol: what a frame from a client asks for, and how it is answered. Pure; a connection performs the decisions.
 *
 * Every refusal answers and leaves the socket open. docs/websocket-protocol.md is this file for client authors.
 */
import {
  type ListedSubscription,
  requestIdSchema,
  type SocketAnswer,
  socketRequestSchema,
  type TokenClaims,
} from '@signalbox/contracts'
import { AppError, AuthError, type ErrorCode, InvalidInputError, parseInput } from '@signalbox/kit'
import { type Cursor, parseCursor } from './cursor.ts'
import { MAX_ANSWERED_ERRORS } from './limits.ts'
import {
  type EventSelector,
  filterOf,
  type MessageFilter,
  type Selector,
  type StateSelector,
  selectorData,
  selectorKey,
} from './selector.ts'

/** All that an answer's errors can be; docs/websocket-protocol.md says when. */
export const ANSWER_CODES: readonly ErrorCode[] = [
  'SB_INVALID_JSON',
  'SB_INVALID_INPUT',
  'SB_INVALID_EXPRESSION',
  'SB_UNAUTHENTICATED',
  'SB_FORBIDDEN',
  'SB_UNKNOWN_ACTION',
  'SB_TOO_MANY',
  'SB_INTERNAL',
  'SB_UNAVAILABLE',
  'SB_STORE_UNAVAILABLE',
]

export type RequestId = number | string

/** What a subscribe asks for beyond the frames themselves. */
export interface Wishes {
  /** Cursors, and to be told of gaps; implied by `since`. */
  resume: boolean
  since?: Cursor
  snapshot: boolean
}

/** Fields of an answer that were asked for. */
export interface AnswerExtras {
  cursor?: string
  recovered?: boolean
  /** JSON: the states were encoded when they were kept. */
  snapshotJson?: string
  subscriptions?: ListedSubscription[]
  /** RFC 3339. */
  expiresAt?: string
}

/** What a decision depends on. */
export interface ConnectionState {
  claims: Pick<TokenClaims, 'sub' | 'scope'>
  /** By `selectorKey`. */
  subscriptions: { has(key: string): boolean; readonly size: number }
  maxSubscriptions: number
}

export interface SubscribeDecision {
  kind: 'subscribe'
  requestId: RequestId
  selector: Selector
  filter: MessageFilter
  wishes: Wishes
}

export interface RepeatDecision {
  kind: 'repeat'
  requestId: RequestId
  selector: Selector
  wishes: Wishes
}

export interface RefreshDecision {
  kind: 'refresh'
  requestId: RequestId
  token: string
}

/** All but `answer` are answered when they are done; `repeat`: it is there, and the client asks how it stands. */
export type Decision =
  | { kind: 'answer'; answer: SocketAnswer }
  | SubscribeDecision
  | RepeatDecision
  | { kind: 'unsubscribe'; requestId: RequestId; selector: Selector }
  | { kind: 'list'; requestId: RequestId }
  | RefreshDecision

/** `text` undefined: a binary frame. Never throws. */
export function decide(text: string | undefined, state: ConnectionState): Decision {
  let requestId: RequestId | null = null
  try {
    const request = parseFrame(text)
    requestId = requestIdOf(request)
    return decideRequest(request, state)
  } catch (error) {
    return { kind: 'answer', answer: refusal(requestId, error) }
  }
}

/** To a frame that comes faster than frames may; it is not looked at further. */
export function decideBeyondRate(text: string | undefined): Decision {
  let requestId: RequestId | null = null
  try {
    requestId = requestIdOf(parseFrame(text))
  } catch {
    // It is refused for its haste, whatever else is wrong with it.
  }
  const error = new AppError('SB_TOO_MANY', 'requests come faster than they may', {
    retryable: true,
  })
  return { kind: 'answer', answer: refusal(requestId, error) }
}

/** A token may be replaced by another of the same person, or of the account, and of no other. */
export function requireSameHolder(fresh: TokenClaims, present: TokenClaims): void {
  const isSame =
    fresh.account_key === present.account_key &&
    fresh.sub === present.sub &&
    fresh.scope === present.scope
  if (!isSame) throw forbidden('data.token', 'the token is for somebody else')
}

export function success(requestId: RequestId): SocketAnswer {
  return { request_id: requestId, errors: [], status: 200 }
}

/** The one place where an error becomes a socket answer. What is not of the protocol is `SB_INTERNAL` and shows nothing of itself. */
export function refusal(requestId: RequestId | null, error: unknown): SocketAnswer {
  if (!(error instanceof AppError && ANSWER_CODES.includes(error.code))) {
    const message = 'something went wrong here; the log has the details'
    return { request_id: requestId, errors: [{ code: 'SB_INTERNAL', message }], status: 500 }
  }
  const { code, details, status } = error
  const errors = details
    .slice(0, MAX_ANSWERED_ERRORS)
    .map(({ path, message }) => ({ code, message, ...(path === '' ? {} : { path }) }))
  return {
    request_id: requestId,
    errors: errors.length > 0 ? errors : [{ code, message: error.message }],
    status,
  }
}

/** In the key order of the protocol. */
export function answerFrame(
  { request_id, errors, status }: SocketAnswer,
  { cursor, recovered, snapshotJson, subscriptions, expiresAt }: AnswerExtras = {},
): string {
  const plain = JSON.stringify({ request_id, errors, status })
  const extras = [
    ...(cursor === undefined ? [] : [`,"cursor":"${cursor}"`]),
    ...(recovered === undefined ? [] : [`,"recovered":${recovered}`]),
    ...(snapshotJson === undefined ? [] : [`,"snapshot":${snapshotJson}`]),
    ...(subscriptions === undefined ? [] : [`,"subscriptions":${JSON.stringify(subscriptions)}`]),
    ...(expiresAt === undefined ? [] : [`,"expires_at":"${expiresAt}"`]),
  ]
  return extras.length === 0 ? plain : `${plain.slice(0, -1)}${extras.join('')}}`
}

/** The request that would make a subscription as it is now, but for where it begins. */
export function listed(subscription: {
  requestId: RequestId
  selector: Selector
  isResuming: boolean
  wantsSnapshot: boolean
}): ListedSubscription {
  const { requestId, selector, isResuming, wantsSnapshot } = subscription
  return {
    action: selector.kind === 'state' ? 'subscribe_state_change' : 'subscribe',
    request_id: requestId,
    data: {
      ...selectorData(selector),
      ...(isResuming ? { resume: true } : {}),
      ...(wantsSnapshot ? { snapshot: true } : {}),
    },
  }
}

function decideRequest(frame: Record<string, unknown>, state: ConnectionState): Decision {
  requireKnownAction(frame.action)
  const request = parseInput(socketRequestSchema, frame, 'the request')
  const requestId = request.request_id
  switch (request.action) {
    case 'subscribe_state_change': {
      const { resume, since, snapshot } = request.data
      const wishes = wishesOf({ resume, since, snapshot })
      return decideSubscribe(requestId, stateSelector(request.data), wishes, state)
    }
    case 'subscribe': {
      const { resume, since } = request.data
      const wishes = wishesOf({ resume, since })
      return decideSubscribe(requestId, eventSelector(request.data), wishes, state)
    }
    case 'unsubscribe_state_change':
      return decideUnsubscribe(requestId, stateSelector(request.data), state)
    case 'unsubscribe':
      return decideUnsubscribe(requestId, eventSelector(request.data), state)
    case 'list':
      return { kind: 'list', requestId }
    case 'refresh_token':
      return { kind: 'refresh', requestId, token: request.data.token }
  }
}

function decideSubscribe(
  requestId: RequestId,
  selector: Selector,
  wishes: Wishes,
  { claims, subscriptions, maxSubscriptions }: ConnectionState,
): Decision {
  requireVisible(selector, claims)
  if (subscriptions.has(selectorKey(selector))) {
    return wishes.resume || wishes.snapshot
      ? { kind: 'repeat', requestId, selector, wishes }
      : { kind: 'answer', answer: success(requestId) }
  }
  const filter = filterOf(selector, claims)
  if (subscriptions.size >= maxSubscriptions) {
    throw new AppError(
      'SB_TOO_MANY',
      `a connection has at most ${maxSubscriptions} subscriptions`,
      { retryable: false },
    )
  }
  return { kind: 'subscribe', requestId, selector, filter, wishes }
}

function decideUnsubscribe(
  requestId: RequestId,
  selector: Selector,
  { claims }: ConnectionState,
): Decision {
  requireVisible(selector, claims)
  return { kind: 'unsubscribe', requestId, selector }
}

function wishesOf(asked: {
  resume: boolean | undefined
  since: string | undefined
  snapshot?: boolean | undefined
}): Wishes {
  const { resume = false, since, snapshot = false } = asked
  if (since === undefined) return { resume, snapshot }
  const cursor = parseCursor(since)
  if (cursor) return { resume: true, since: cursor, snapshot }
  const message = 'is not a cursor'
  throw new InvalidInputError(`data.since ${message}`, {
    details: [{ path: 'data.since', message }],
  })
}

function stateSelector({ person_key, entity }: Omit<StateSelector, 'kind'>): StateSelector {
  return { kind: 'state', person_key, entity }
}

function eventSelector(data: Omit<EventSelector, 'kind'>): EventSelector {
  const { conversation_key, conversation_type, event_type, person_key, all, when } = data
  return { kind: 'event', conversation_key, conversation_type, event_type, person_key, all, when }
}

function parseFrame(text: string | undefined): Record<string, unknown> {
  if (text === undefined) {
    throw new InvalidInputError('a request is a text frame; this one is binary')
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new InvalidInputError('the frame is not JSON', { code: 'SB_INVALID_JSON', cause })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  throw new InvalidInputError('a request is a JSON object')
}

/** Null: there is none that could be echoed. */
function requestIdOf(request: Record<string, unknown>): RequestId | null {
  const parsed = requestIdSchema.safeParse(request.request_id)
  return parsed.success ? parsed.data : null
}

const ACTIONS: readonly string[] = socketRequestSchema.options.map(
  ({ shape }) => shape.action.value,
)

/** Before the schema, because an action that does not exist is another answer than fields that do not fit. */
function requireKnownAction(action: unknown): void {
  if (typeof action !== 'string') {
    const message = `must be one of ${ACTIONS.join(', ')}`
    throw new InvalidInputError(`action ${message}`, { details: [{ path: 'action', message }] })
  }
  if (ACTIONS.includes(action)) return
  const message = `there is no such action; there are ${ACTIONS.join(', ')}`
  throw new AppError('SB_UNKNOWN_ACTION', message, {
    retryable: false,
    details: [{ path: 'action', message }],
  })
}

/** A person's token sees that person; the account's sees everyone in it. */
function requireVisible(selector: Selector, { sub, scope }: ConnectionState['claims']): void {
  if (scope === 'account') return
  if (selector.kind === 'event' && selector.all) {
    throw forbidden('data.all', "needs a token of the account; this one is a person's")
  }
  const { person_key = sub } = selector
  if (sub === undefined || sub !== person_key) {
    throw forbidden('data.person_key', 'the token is for somebody else')
  }
}

function forbidden(path: string, message: string): AuthError {
  return new AuthError('SB_FORBIDDEN', message, { details: [{ path, message }] })
}
