/** What may be set of an edge, and what it is when nobody does. */
import { randomUUID } from 'node:crypto'
import type { TokenIssuer } from '@signalbox/kit'
import * as limits from './limits.ts'

export interface EdgeOptions {
  /** Verifies the clients' tokens; the api signs with the same. */
  tokenSecret: string
  /** Another issuer, whose tokens are accepted beside those; default: nobody. */
  tokenIssuer?: TokenIssuer
  /** Names this edge to whoever looks at connections and biographies; default: a random one. */
  edgeId?: string
  /** WebSockets in this process; default 10,000. */
  maxConnections?: number
  /** WebSockets of one address, of one account, of one person, in this process; default 1,000, 10,000 and 50. */
  maxPerAddress?: number
  maxPerAccount?: number
  maxPerPerson?: number
  /** New WebSockets per second, in bursts of twice as many; default 500, 0: no limit. */
  acceptsPerSecond?: number
  /** Frames from one client per second, in bursts of two and a half times as many; default 100, 0: no limit. */
  framesPerSecond?: number
  /** Whose pages may connect, as `https://host`; default: all. */
  origins?: readonly string[]
  /** Proxies before the edge, whose word on a client's address counts; default 0. */
  trustedProxies?: number
  /** Subscriptions of one WebSocket; default 100. */
  maxSubscriptions?: number
  /** How long a WebSocket may be without a subscription and say nothing; default 300,000 ms, 0: for ever. */
  maxIdleMs?: number
  /** How long a frame may wait to leave in one write with others, in milliseconds (see `FrameWriters.windowMs`); default 5, 0: none waits. */
  joinMs?: number
  /** Unsent bytes of one WebSocket; default 1 MiB. */
  maxBufferedBytes?: number
  /** Queues that the relays of all edges share, 1 to 16; default 1. The same at every edge. */
  relayPartitions?: number
}

const ACCEPT_BURST_S = 2
const FRAME_BURST_S = 2.5

export type ResolvedOptions = ReturnType<typeof resolveOptions>

export function resolveOptions(options: EdgeOptions) {
  const {
    edgeId = randomUUID(),
    maxConnections = limits.DEFAULT_MAX_CONNECTIONS,
    maxPerAddress = limits.DEFAULT_MAX_PER_ADDRESS,
    maxPerAccount = limits.DEFAULT_MAX_PER_ACCOUNT,
    maxPerPerson = limits.DEFAULT_MAX_PER_PERSON,
    acceptsPerSecond = limits.DEFAULT_ACCEPTS_PER_SECOND,
    framesPerSecond = limits.DEFAULT_FRAMES_PER_SECOND,
    origins,
    trustedProxies = 0,
    maxSubscriptions = limits.DEFAULT_MAX_SUBSCRIPTIONS,
    maxIdleMs = limits.DEFAULT_MAX_IDLE_MS,
    joinMs = limits.DEFAULT_JOIN_MS,
    maxBufferedBytes = limits.DEFAULT_MAX_BUFFERED_BYTES,
    relayPartitions = limits.DEFAULT_RELAY_PARTITIONS,
  } = options
  return {
    edgeId,
    relayPartitions,
    admission: {
      maxConnections,
      maxPerAddress,
      maxPerAccount,
      maxPerPerson,
      accepts: { perSecond: acceptsPerSecond, burst: acceptsPerSecond * ACCEPT_BURST_S },
      ...(origins ? { origins } : {}),
      trustedProxies,
    },
    gateway: {
      maxSubscriptions,
      maxIdleMs,
      frames: { perSecond: framesPerSecond, burst: framesPerSecond * FRAME_BURST_S },
    },
    writers: { joinMs, maxBufferedBytes },
  }
}
