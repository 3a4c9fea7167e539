/**
 * The frames of the edge protocol as a client sees them (docs/websocket-protocol.md).
 *
 * They are written out here, because a package that depends on nothing cannot export the types of a schema library; a test of types
 * holds them to `@signalbox/contracts`.
 */

export const SUBPROTOCOL = 'signalbox.v1'

export type Json = string | number | boolean | null | Json[] | { [field: string]: Json }

export type Entity = 'flow' | 'step'

/** One change of one flow or step. `previous_state` null: there was none. */
export interface StateChange {
  entity: Entity
  id: string
  identifier: string
  state: string
  previous_state: string | null
}

/** What a flow or a step is now. */
export type CurrentState = Omit<StateChange, 'previous_state'>

/** Unknown fields are kept. */
export interface VumiApiEvent {
  event_id: string
  account_key: string
  conversation_key: string
  conversation_type: string
  event_type: string
  event_data: { [field: string]: Json }
  timestamp: string
  person_key?: string | undefined
  [field: string]: unknown
}

export interface SocketError {
  code: string
  message: string
  path?: string | undefined
}

export interface SocketAnswer {
  request_id: number | string | null
  errors: SocketError[]
  status: number
  /** Asked for with `resume`: where this subscription goes on from. */
  cursor?: string | undefined
  /** Asked for with `since`: nothing is missing. */
  recovered?: boolean | undefined
  snapshot?: CurrentState[] | undefined
  /** Of `refresh_token`. */
  expires_at?: string | undefined
}

export interface SocketFrame {
  event: string
  request_id: number | string
  data: unknown
  cursor?: string | undefined
}
