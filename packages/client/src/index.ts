/** Signalbox's live edge for browsers and Node: subscribe, and be told every change once, in order, across whatever happens to the socket. */

export type { Backoff } from './backoff.ts'
export {
  type Client,
  type ClientOptions,
  connect,
  type EventSelector,
  type StateChangeSelector,
  type Status,
} from './client.ts'
export { SignalboxError } from './errors.ts'
export type { SocketEvent, WebSocketConstructor, WebSocketLike } from './link.ts'
export type {
  EventItem,
  EventOptions,
  Gap,
  GapItem,
  SnapshotItem,
  StateChangeItem,
  StateChangeOptions,
  Subscription,
  SubscriptionOptions,
} from './subscription.ts'
export type { CurrentState, Entity, StateChange, VumiApiEvent } from './wire.ts'
