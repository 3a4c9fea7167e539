/**
 * The edge protocol: what a frame from a client asks for, and how it is answered. Pure; a connection performs the decisions.
 *
 * Every refusal answers and leaves the socket open. docs/websocket-protocol.md is this file for client authors.
 */
import {
  type Entity,
  requestIdSchema,
  type SocketAnswer,
  socketRequestSchema,
  type TokenClaims,
} from '@signalbox/contracts'
import { AppError, AuthError, type ErrorCode, InvalidInputError, parseInput } from '@signalbox/kit'
import { MAX_ANSWERED_ERRORS } from './limits.ts'

/** All that an answer's errors can be; docs/websocket-protocol.md says when. */
export const ANSWER_CODES: readonly ErrorCode[] = [
  'SB_INVALID_JSON',
  'SB_INVALID_INPUT',
  'SB_FORBIDDEN',
  'SB_UNKNOWN_ACTION',
  'SB_TOO_MANY',
  'SB_INTERNAL',
  'SB_STORE_UNAVAILABLE',
]

export type RequestId = number | string

/** What one socket is subscribed to: one person's flow or step states. */
export interface Interest {
  personKey: string
  entity: Entity
}

/** What a decision depends on. */
export interface ConnectionState {
  claims: Pick<TokenClaims, 'sub' | 'scope'>
  /** By `interestKey`. */
  subscriptions: { has(key: string): boolean; readonly size: number }
  maxSubscriptions: number
}

/** `subscribe` and `unsubscribe` are answered when they are done. */
export type Decision =
  | { kind: 'answer'; answer: SocketAnswer }
  | { kind: 'subscribe'; requestId: RequestId; interest: Interest }
  | { kind: 'unsubscribe'; requestId: RequestId; interest: Interest }

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
export function answerFrame({ request_id, errors, status }: SocketAnswer): string {
  return JSON.stringify({ request_id, errors, status })
}

export function interestKey({ personKey, entity }: Interest): string {
  return `${entity} ${personKey}`
}

function decideRequest(request: Record<string, unknown>, state: ConnectionState): Decision {
  requireKnownAction(request.action)
  const { action, request_id, data } = parseInput(socketRequestSchema, request, 'the request')
  const interest = { personKey: data.person_key, entity: data.entity }
  requireVisible(interest.personKey, state.claims)
  if (action === 'unsubscribe_state_change') {
    return { kind: 'unsubscribe', requestId: request_id, interest }
  }
  if (state.subscriptions.has(interestKey(interest))) {
    return { kind: 'answer', answer: success(request_id) }
  }
  if (state.subscriptions.size >= state.maxSubscriptions) {
    throw new AppError(
      'SB_TOO_MANY',
      `a connection has at most ${state.maxSubscriptions} subscriptions`,
      { retryable: false },
    )
  }
  return { kind: 'subscribe', requestId: request_id, interest }
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
function requireVisible(personKey: string, { sub, scope }: ConnectionState['claims']): void {
  if (scope === 'account' || sub === personKey) return
  const message = 'the token is for somebody else'
  throw new AuthError('SB_FORBIDDEN', message, { details: [{ path: 'data.person_key', message }] })
}
