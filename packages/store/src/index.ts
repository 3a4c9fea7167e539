/** What Signalbox keeps: the ports and their two engines. */

export {
  channelBounds,
  deadLetterBounds,
  deliveryBounds,
  progressBounds,
  recordBounds,
} from './bounds.ts'
export { type ChainPicture, catchUp } from './catch-up.ts'
export { channelName } from './channel-name.ts'
export { mendListenerChain } from './listener-chain.ts'
export { createMemoryStore } from './memory/store.ts'
export type {
  AccountPresence,
  ApiKeyStore,
  BiographyEntry,
  BiographyStore,
  ChainChanges,
  ChainStore,
  Channel,
  ChannelEntry,
  ChannelInterest,
  ChannelMessage,
  ChannelOpening,
  ChannelPosition,
  ChannelStore,
  ChannelView,
  ContactStore,
  ContactUpdate,
  DeadLetterFilter,
  DeadLetterStore,
  DeliveryFilter,
  DeliveryStore,
  DocumentStore,
  EventFilter,
  HandlerCatalog,
  KeptListener,
  ListenerSecrets,
  ListenerStore,
  NewDeadLetter,
  Page,
  PageOptions,
  PresenceStore,
  Progress,
  ProgressStore,
  RelayRoster,
  Revocation,
  RevocationStore,
  RevocationTarget,
  Store,
  StoreBounds,
  StoredDocument,
  TokenMarks,
  Unsubscribe,
} from './ports.ts'
export { openRedisStore, type RedisStoreOptions } from './redis/store.ts'
export { revokes } from './revocations.ts'
