/**
 * The store ports: what Signalbox keeps, per account, and what both engines (Redis, memory) promise.
 *
 * Every method rejects with `UnavailableError` (`SB_STORE_UNAVAILABLE`) when the store cannot be reached within the command timeout
 * (default 2 s): it never hangs, and never answers "nothing there" instead. Values are copies: changing them changes nothing kept.
 *
 * All ports in one file, however long: whoever writes an engine, or asks what is kept, reads it from beginning to end.
 */
import type {
  ApiKey,
  Biography,
  BiographyFact,
  CatalogEntry,
  Chain,
  Contact,
  DeadLetter,
  DeadLetterGroup,
  DeadLetterState,
  DeadLetterSummary,
  Delivery,
  DeliveryCounts,
  DeliveryOutcome,
  EventOutcome,
  EventSummary,
  HandlerDescription,
  Json,
  JsonObject,
  KeptDeadLetter,
  Listener,
  SIGNATURE_SCHEMES,
  StoredChain,
} from '@signalbox/contracts'

/** A page of a listing: `next` is the cursor that continues it; absent at the end. */
export interface Page<Item> {
  items: Item[]
  next?: string
}

export interface PageOptions {
  /** 1 to 1,000; default 100. */
  limit?: number
  /** A `next` of the same listing. */
  cursor?: string
}

/** Ends what was begun. Idempotent. */
export type Unsubscribe = () => Promise<void>

/** What changed in an account's chains since a revision. */
export interface ChainChanges {
  /** The revision that these changes lead to; ask again from here. */
  revision: number
  changed: StoredChain[]
  deleted: string[]
  /** True: more changes wait beyond `revision`. */
  more: boolean
  /**
   * Present when the changes since the revision asked for are no longer all known (more chains were deleted since than the store
   * remembers, or it lost data): nothing else is then told. Start over: forget what you have, read it all with `list`, and ask
   * again from `revision`. `catchUp` does all that.
   */
  restart?: true
}

/** Each account has a *revision*, a counter of its chain changes: whoever has read up to it knows all. */
export interface ChainStore {
  /** Creates or replaces; the version counts up. Throws `ConflictError` when another enabled chain is the default already, `TooManyError` when there are as many as may be. */
  put(accountKey: string, chainId: string, chain: Chain): Promise<StoredChain>
  get(accountKey: string, chainId: string): Promise<StoredChain | undefined>
  /** False: there was none. */
  delete(accountKey: string, chainId: string): Promise<boolean>
  /** By chain_id. */
  list(accountKey: string, options?: PageOptions): Promise<Page<StoredChain>>
  /** 0: the account never had a chain. */
  revision(accountKey: string): Promise<number>
  /** The latest state of each chain changed after `revision`, oldest change first, at most `limit` (default 1,000), read in one atomic step. */
  changesSince(accountKey: string, revision: number, limit?: number): Promise<ChainChanges>
  /** Told soon after a change, by anybody, of any account. May be lost (a reconnection): `revision` is the truth. */
  onChange(listener: (accountKey: string) => void): Promise<Unsubscribe>
}

/** The catalog is the installation's, not an account's: whoever runs handler workers offers them to all. */
export interface HandlerCatalog {
  /** Says that `workerId` runs the handler, for `ttlMs` from now; call it again before that. The newest description wins. */
  register(
    description: HandlerDescription,
    worker: { workerId: string; ttlMs: number },
  ): Promise<void>
  /** The worker stops; the handler stays known. */
  unregister(name: string, workerId: string): Promise<void>
  get(name: string): Promise<CatalogEntry | undefined>
  list(): Promise<CatalogEntry[]>
  /** Forgets the handler. False: it was not known. */
  remove(name: string): Promise<boolean>
}

export interface ContactUpdate {
  /** Normalised: `+` and digits. Identifies the contact within its account. */
  msisdn: string
  name?: string
  /** Added to the groups the contact is in. */
  groups?: string[]
  /** Merged over the extra fields it has, field by field. */
  extra?: JsonObject
}

export interface ContactStore {
  /** One atomic step: two workers with the same number create one contact. Throws `TooManyError` when there are as many as may be. */
  upsert(accountKey: string, update: ContactUpdate): Promise<{ contact: Contact; created: boolean }>
  get(accountKey: string, contactKey: string): Promise<Contact | undefined>
  findByMsisdn(accountKey: string, msisdn: string): Promise<Contact | undefined>
  /** Undefined: there is no such contact. */
  setSubscription(
    accountKey: string,
    contactKey: string,
    campaign: string,
    state: 'subscribed' | 'unsubscribed',
  ): Promise<Contact | undefined>
  list(accountKey: string, options?: PageOptions): Promise<Page<Contact>>
}

/** A live stream within an account: one person's state changes, or every event of the account. */
export type Channel =
  | { accountKey: string; kind: 'person'; personKey: string }
  | { accountKey: string; kind: 'account' }

export interface ChannelEntry {
  channel: Channel
  /** The event's identity: an entry with an id that is still in the log is not appended again. */
  id: string
  payload: string
  /** Replaces what the channel keeps as current under this key (not empty), in the same step as the append. */
  state?: { key: string; value: string }
}

export interface ChannelMessage {
  /**
   * Names one life of the channel: random, and another one after the channel was forgotten, for its age, by `forget`, or because the
   * store lost it. Offsets of two epochs cannot be compared.
   */
  epoch: string
  /** Counts up from 1 within the epoch, without holes. */
  offset: number
  id: string
  payload: string
}

/** The end of a channel's log: where its newest message is, or was. */
export interface ChannelPosition {
  epoch: string
  /** 0: nothing was appended in this epoch. */
  offset: number
  /** Of the message at that offset; empty at 0. */
  id: string
}

export interface ChannelOpening {
  /** The messages after this offset, oldest first; absent: the newest ones. Whether it is of this epoch is the caller's to see. */
  afterOffset?: number
  /** Messages at most: 0, which is the default, to 1,000. */
  limit?: number
  /** True: what is current under each key, too. */
  states?: boolean
}

/** A channel at one moment. */
export interface ChannelView {
  end: ChannelPosition
  /** Oldest first. */
  messages: ChannelMessage[]
  /** The values that are current, the one that changed longest ago first. Present when they were asked for. */
  states?: string[]
}

export interface ChannelStore {
  /** Appends in order and tells every subscriber, in one step per channel. Resolves when all are kept. */
  append(entries: readonly ChannelEntry[]): Promise<void>
  /** Resolves when messages appended from now on will be delivered. `onLost` is called when some may have been missed. */
  subscribe(
    channel: Channel,
    onMessage: (message: ChannelMessage) => void,
    onLost?: () => void,
  ): Promise<Unsubscribe>
  /** Looks at the channel, in one atomic step. One that was never used, or was forgotten, begins its epoch with that. */
  open(channel: Channel, opening?: ChannelOpening): Promise<ChannelView>
  /** Forgets its messages, its end and its states; subscribers are told that they may have missed some, and find another epoch. */
  forget(channel: Channel): Promise<void>
}

/**
 * The accounts whose own channel somebody subscribes to: only for these are all events brought to it. A mark is *kept* for a time, and
 * *confirmed* once the account's events do arrive, with an epoch that began after that. One whose time is over has *lapsed*, and is there,
 * unconfirmed, until what fills the channel was taken away: so whoever is interested in between knows that there is a gap.
 */
export interface ChannelInterest {
  /** Begins the mark, or keeps it, for `ttlMs` from now at least. */
  keep(accountKey: string, ttlMs: number): Promise<{ isConfirmed: boolean }>
  /** Nothing when there is no mark. */
  confirm(accountKey: string): Promise<void>
  /** Those of the accounts that have a mark, lapsed or not. */
  among(accountKeys: readonly string[]): Promise<Set<string>>
  /** Every mark there is. */
  list(): Promise<{ accountKey: string; isLapsed: boolean }[]>
  /** Takes back the confirmation of a lapsed mark. False: somebody keeps it. */
  lapse(accountKey: string): Promise<boolean>
  /** Removes a lapsed mark. False: somebody keeps it. */
  end(accountKey: string): Promise<boolean>
}

/** Which relays run, so that they can share the work. */
export interface RelayRoster {
  /** Says that this one runs, for `ttlMs` from now. Returns all that do, the one that has run longest first, this one among them. */
  announce(relayId: string, ttlMs: number): Promise<string[]>
  /** It runs no more. */
  leave(relayId: string): Promise<void>
}

export interface ApiKeyStore {
  /** Throws `TooManyError` when there are as many as may be. */
  create(accountKey: string, key: ApiKey, secretHash: string): Promise<void>
  find(accountKey: string, keyId: string): Promise<{ key: ApiKey; secretHash: string } | undefined>
  list(accountKey: string): Promise<ApiKey[]>
  delete(accountKey: string, keyId: string): Promise<boolean>
}

/** What tokens have in common that are revoked together. */
export type RevocationTarget = { jti: string } | { keyId: string } | { personKey: string }

/** By what a token may have been revoked. */
export interface TokenMarks {
  jti?: string
  keyId?: string
  personKey?: string
  /** Unix milliseconds; absent: it is older than anything. */
  issuedAtMs?: number
}

export interface Revocation {
  accountKey: string
  target: RevocationTarget
  /** When, Unix milliseconds: of a person, only tokens issued up to the second of it are revoked. */
  atMs: number
}

/** Which tokens are not to be believed any more, for as long as they could be. */
export interface RevocationStore {
  /**
   * For `ttlMs` from now at least, and tells every listener. Throws `AppError` (`SB_TOO_MANY`) when the account has as many revocations
   * as it may (10,000): none is let go before its time.
   */
  revoke(accountKey: string, target: RevocationTarget, ttlMs: number): Promise<void>
  /** For each token, in their order. */
  areRevoked(accountKey: string, tokens: readonly TokenMarks[]): Promise<boolean[]>
  /** Told of every revocation, of any account. `onLost` is called when some may have been missed: `areRevoked` is the truth. */
  onRevoke(listener: (revocation: Revocation) => void, onLost?: () => void): Promise<Unsubscribe>
}

/** Who of an account is connected to one edge. */
export interface AccountPresence {
  connections: number
  subscriptions: number
  /** Those whose tokens name them. */
  persons: { personKey: string; connections: number; subscriptions: number }[]
}

/** Who is connected where, as the edges say it every few seconds. */
export interface PresenceStore {
  /** What was said of the account before is replaced; it holds for `ttlMs`. Without connections: nobody is there. */
  report(
    edgeId: string,
    accounts: ReadonlyMap<string, AccountPresence>,
    ttlMs: number,
  ): Promise<void>
  /** By edge. */
  read(accountKey: string): Promise<Map<string, AccountPresence>>
}

export interface BiographyEntry {
  accountKey: string
  eventId: string
  facts: readonly BiographyFact[]
}

export interface EventFilter {
  conversationType?: string
  eventType?: string
  conversationKey?: string
  personKey?: string
  outcome?: EventOutcome
}

/** Bounded per account by age and count; what falls off is counted (`forgotten`). */
export interface BiographyStore {
  record(entries: readonly BiographyEntry[]): Promise<void>
  get(accountKey: string, eventId: string): Promise<Biography | undefined>
  /** Newest first. A page may be short, or empty with a `next`, when the filter matched little of what was looked through. */
  list(accountKey: string, filter: EventFilter, options?: PageOptions): Promise<Page<EventSummary>>
  /** How many biographies fell off, ever. */
  forgotten(accountKey: string): Promise<number>
}

/** A dead letter as it is first kept: with its account, and the kind of event that it all began with. */
export type NewDeadLetter = DeadLetter &
  Pick<DeadLetterSummary, 'account_key' | 'conversation_type' | 'event_type' | 'replay_of'>

/** A field that is null asks for the letters that have none. */
export interface DeadLetterFilter {
  code?: string
  handler?: string | null
  chainId?: string | null
  conversationType?: string
  eventType?: string
  eventId?: string
  state?: DeadLetterState
  /** Unix milliseconds of the (latest) failure: from, and before. */
  sinceMs?: number
  untilMs?: number
}

/** Bounded per account by age and count; what falls off is counted (`forgotten`). */
export interface DeadLetterStore {
  /**
   * Keeps it as `open`. One that is kept already is left as it is when it has the same `at` (the same delivery again); with another, the
   * same message has failed again: it is counted, and open again unless it was discarded. `forgotten`: how many older ones fell off.
   */
  keep(letter: NewDeadLetter): Promise<{ forgotten: number }>
  get(accountKey: string, deadLetterId: string): Promise<KeptDeadLetter | undefined>
  /**
   * Replaces the letter by what `change` makes of it, in one atomic step: `change` is called again when somebody else was faster. What
   * it throws is thrown, and nothing is changed. Undefined: there is no such letter.
   */
  update(
    accountKey: string,
    deadLetterId: string,
    change: (letter: DeadLetterSummary) => DeadLetterSummary,
  ): Promise<DeadLetterSummary | undefined>
  /** Newest first. A page may be short, or empty with a `next`, when the filter matched little of what was looked through. */
  list(
    accountKey: string,
    filter: DeadLetterFilter,
    options?: PageOptions,
  ): Promise<Page<DeadLetterSummary>>
  /** Of what the filter asks for, by cause, the most frequent first; at most 1,000 causes. */
  groups(accountKey: string, filter: DeadLetterFilter): Promise<DeadLetterGroup[]>
  /** How many fell off, ever. */
  forgotten(accountKey: string): Promise<number>
}

/** What is secret of a listener, sealed by whoever stores it: the store never sees it in clear. */
export interface ListenerSecrets {
  /** The secrets that deliveries are signed with, the newest first; the others only until their time. */
  signing: {
    sealed: string
    scheme: (typeof SIGNATURE_SCHEMES)[number]
    /** Of ed25519: what verifies, and may be shown. */
    public_key?: string
    until?: string
  }[]
  /** By their place in the callback: `headers.authorization`, `secret_headers.x-shop`, `password`. */
  callback: Record<string, string>
}

export interface KeptListener {
  /** Its `version` is the store's: it counts the saves, from 1. */
  listener: Listener
  secrets: ListenerSecrets
}

/** A listener's chain is kept beside it, as a chain; `mendListenerChain` makes it what the listener says. */
export interface ListenerStore {
  /** Throws `ConflictError` when there is one of that identity, `TooManyError` when there are as many as there may be (`maxListeners`). */
  create(accountKey: string, listener: Listener, secrets: ListenerSecrets): Promise<KeptListener>
  get(accountKey: string, listenerId: string): Promise<KeptListener | undefined>
  /**
   * Replaces it by what `change` makes of it, in one atomic step: `change` is called again when somebody else was faster. What it
   * throws is thrown, and nothing is changed; nor is it when it returns what it was given. Undefined: there is no such listener.
   */
  update(
    accountKey: string,
    listenerId: string,
    change: (kept: KeptListener) => KeptListener,
  ): Promise<KeptListener | undefined>
  /** False: there was none. */
  delete(accountKey: string, listenerId: string): Promise<boolean>
  /** By listener_id. */
  list(accountKey: string, options?: PageOptions): Promise<Page<KeptListener>>
  /** Told soon after a change, by anybody, of any account. May be lost (a reconnection), so what is remembered has to age as well. */
  onChange(hear: (change: { accountKey: string; listenerId: string }) => void): Promise<Unsubscribe>
}

export interface DeliveryFilter {
  /** `failed`: every outcome but `delivered`. */
  outcome?: DeliveryOutcome | 'failed'
  eventId?: string
  /** Unix milliseconds of the attempt: from, and before. */
  sinceMs?: number
  untilMs?: number
}

/** Bounded per listener by age and count; what falls off is counted (`forgotten`). The counts are of all attempts ever. */
export interface DeliveryStore {
  /** In this order. One that is kept already (by its `delivery_id`) is left as it is, and not counted again. */
  record(accountKey: string, deliveries: readonly Delivery[]): Promise<void>
  get(accountKey: string, listenerId: string, deliveryId: string): Promise<Delivery | undefined>
  /** Newest first. A page may be short, or empty with a `next`, when the filter matched little of what was looked through. */
  list(
    accountKey: string,
    listenerId: string,
    filter: DeliveryFilter,
    options?: PageOptions,
  ): Promise<Page<Delivery>>
  /** To all listeners, in the order in which they were recorded; the latest 1,000. */
  ofEvent(accountKey: string, eventId: string): Promise<Delivery[]>
  counts(accountKey: string, listenerId: string): Promise<DeliveryCounts>
  /** The next failure begins `failing_since` anew. */
  clearFailing(accountKey: string, listenerId: string): Promise<void>
  /** All of a listener that is no more. */
  forget(accountKey: string, listenerId: string): Promise<void>
}

/** How far a piece of work is: nobody began it, somebody did, or it is done. */
export type Progress =
  | { state: 'new' }
  | { state: 'begun'; plan: unknown }
  | { state: 'done'; outcome: unknown }

/**
 * How far the work on an event is, in pieces whose names are the caller's: so that what comes again is not done again. Forgotten some time
 * after a piece of work was last begun, or done for the first time (`progressTtlMs`), or when the store loses data: what comes again after that is done again. Plans and outcomes
 * are JSON, and are returned as they were given. `facts` are recorded in the event's biography in the same atomic step.
 *
 * Bounded per account by count as well (`maxProgress` events): what began longest ago falls off first, and is counted (`forgotten`). Work that
 * is begun and not done does not fall off, so there may be more by what is in hand.
 */
export interface ProgressStore {
  /** Begins the work with its plan unless somebody did (`facts` are recorded then), and tells how far it was before. */
  begin(
    accountKey: string,
    eventId: string,
    work: string,
    plan: unknown,
    facts?: readonly BiographyFact[],
  ): Promise<Progress>
  /** Marks the work as done, begun or not. */
  finish(
    accountKey: string,
    eventId: string,
    work: string,
    outcome: unknown,
    facts?: readonly BiographyFact[],
  ): Promise<void>
  /** `begin` and `finish` in one step, for work without effects elsewhere: done now unless somebody began it. Tells how far it was before. */
  complete(
    accountKey: string,
    eventId: string,
    work: string,
    outcome: unknown,
    facts?: readonly BiographyFact[],
  ): Promise<Progress>
  /** Undefined: it is not done. */
  outcome(accountKey: string, eventId: string, work: string): Promise<unknown>
  /** Of how many events the progress fell off before its time, ever. */
  forgotten(accountKey: string): Promise<number>
  /** Told when what this process wrote made some fall off. Returns what ends it. */
  onForgotten(listener: (accountKey: string, count: number) => void): () => void
}

/** A value that a service keeps for itself (a poll, a half-answered one), guarded by its revision. */
export interface StoredDocument {
  value: Json
  /** Counts the saves, from 1. */
  revision: number
}

export interface DocumentStore {
  get(accountKey: string, collection: string, key: string): Promise<StoredDocument | undefined>
  /** `expectedRevision` 0: it must not exist; absent: whatever is there is replaced. Throws `ConflictError` when it does not hold, `TooManyError` when there are as many as may be. */
  put(
    accountKey: string,
    collection: string,
    key: string,
    value: Json,
    options?: { expectedRevision?: number },
  ): Promise<StoredDocument>
  /** False: there was none. Throws `ConflictError` when there is one and `expectedRevision` is not its revision. */
  delete(
    accountKey: string,
    collection: string,
    key: string,
    options?: { expectedRevision?: number },
  ): Promise<boolean>
  list(
    accountKey: string,
    collection: string,
    options?: PageOptions,
  ): Promise<Page<StoredDocument & { key: string }>>
}

/** Disposing it is `close`. Idempotent. */
export interface Store extends AsyncDisposable {
  readonly chains: ChainStore
  readonly catalog: HandlerCatalog
  readonly contacts: ContactStore
  readonly channels: ChannelStore
  readonly interest: ChannelInterest
  readonly relays: RelayRoster
  readonly apiKeys: ApiKeyStore
  readonly revocations: RevocationStore
  readonly presence: PresenceStore
  readonly biographies: BiographyStore
  readonly deadLetters: DeadLetterStore
  readonly listeners: ListenerStore
  readonly deliveries: DeliveryStore
  readonly documents: DocumentStore
  readonly progress: ProgressStore
  /** Why it cannot work now, or undefined. For readiness. */
  unavailableReason(): string | undefined
  close(): Promise<void>
}

/** Bounds on what is kept; the defaults suit a small installation. */
export interface StoreBounds {
  /** Biographies per account: default 10,000, and 7 days. */
  maxBiographies?: number
  biographyTtlMs?: number
  /** Dead letters per account: default 10,000, and 30 days. */
  maxDeadLetters?: number
  deadLetterTtlMs?: number
  /** Listeners per account: default 1,000. One more is refused. */
  maxListeners?: number
  /** Deliveries per listener: default 1,000, and 7 days. */
  maxDeliveries?: number
  deliveryTtlMs?: number
  /** Messages in a person's channel: default 100; in an account's: default 10,000; both until 1 hour after the last one. */
  maxChannelMessages?: number
  maxAccountChannelMessages?: number
  channelTtlMs?: number
  /** Current states that a channel keeps, the newest: default 100, and 30 days after the last change. */
  maxChannelStates?: number
  channelStateTtlMs?: number
  /** Progress of an event, after work on it last began: default 24 hours, which is also the longest delay of a retry. */
  progressTtlMs?: number
  /** Events with progress per account: default 1,000,000. */
  maxProgress?: number
  /** What people made on purpose does not fall off: beyond these the next one is refused (`SB_TOO_MANY`). Per account; documents per collection. */
  maxChains?: number
  maxContacts?: number
  maxDocuments?: number
  maxApiKeys?: number
  /** Deleted chains that each account remembers for readers of changes: default 10,000. */
  maxDeletedChains?: number
}
