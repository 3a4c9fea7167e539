/** Bounds of the gateway that are not part of a message's shape. */

/** Sockets per process: at about 10 KB each, 100 MB. */
export const DEFAULT_MAX_CONNECTIONS = 10_000

/** Subscriptions per socket. */
export const DEFAULT_MAX_SUBSCRIPTIONS = 100

/** Queues of the relay: one edge relays what one process can. */
export const DEFAULT_RELAY_PARTITIONS = 1

/** Sockets of one address (of IPv6: of one /64), of one account, of one person. */
export const DEFAULT_MAX_PER_ADDRESS = 1_000
export const DEFAULT_MAX_PER_ACCOUNT = 10_000
export const DEFAULT_MAX_PER_PERSON = 50

/** New sockets per second. */
export const DEFAULT_ACCEPTS_PER_SECOND = 500

/** Frames from one client per second. At once may come more: it begins with its subscriptions. */
export const DEFAULT_FRAMES_PER_SECOND = 100

/** How long a socket may be without a subscription and say nothing. */
export const DEFAULT_MAX_IDLE_MS = 300_000

/** Unsent bytes of one socket; beyond them its client is too slow to keep. */
export const DEFAULT_MAX_BUFFERED_BYTES = 1024 * 1024

/** How long a frame may wait to leave in one write with others, unless a round of writes takes longer. */
export const DEFAULT_JOIN_MS = 5

/** Pieces of one message. What a client sends fits into one. */
export const MAX_FRAGMENTS = 64

/** Requests of one socket that wait for their turn; beyond them it is not read until they are answered. */
export const MAX_WAITING_REQUESTS = 64

/** Messages in one read of a channel's log: an account's may be 256 KiB each. */
export const PAGE = 100

/** Field errors in one answer. */
export const MAX_ANSWERED_ERRORS = 20

/** Between pings; who has not answered one by the next is gone. Below the idle timeouts of common proxies (60 s). */
export const PING_INTERVAL_MS = 25_000

/** How long a client may take to answer a close frame before the connection is cut. */
export const CLOSE_TIMEOUT_MS = 2_000
