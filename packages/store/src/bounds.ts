/** The bounds on what is kept, with their defaults. */
import { InvalidInputError } from '@signalbox/kit'
import type { Channel, StoreBounds } from './ports.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

const DEFAULT_BOUNDS: Required<StoreBounds> = {
  maxBiographies: 10_000,
  biographyTtlMs: 7 * DAY_MS,
  maxDeadLetters: 10_000,
  deadLetterTtlMs: 30 * DAY_MS,
  maxListeners: 1_000,
  maxDeliveries: 1_000,
  deliveryTtlMs: 7 * DAY_MS,
  maxChannelMessages: 100,
  maxAccountChannelMessages: 10_000,
  channelTtlMs: HOUR_MS,
  maxChannelStates: 100,
  channelStateTtlMs: 30 * DAY_MS,
  progressTtlMs: DAY_MS,
  maxProgress: 1_000_000,
  maxChains: 10_000,
  maxContacts: 1_000_000,
  maxDocuments: 1_000_000,
  maxApiKeys: 100,
  maxDeletedChains: 10_000,
}

/**
 * How long a channel's epoch and offset outlive its last use: much longer than the messages, so that a client which comes back to a
 * silent channel learns that it missed nothing.
 */
const CHANNEL_END_TTL_MS = 30 * DAY_MS

/** What the bounds say for one channel. */
export interface ChannelBounds {
  maxMessages: number
  messageTtlMs: number
  endTtlMs: number
  maxStates: number
  stateTtlMs: number
}

/** The bounds by kind of channel. */
export function channelBoundsOf(
  bounds: Required<StoreBounds>,
): Record<Channel['kind'], ChannelBounds> {
  const common = {
    messageTtlMs: bounds.channelTtlMs,
    endTtlMs: Math.max(bounds.channelTtlMs, CHANNEL_END_TTL_MS),
    maxStates: bounds.maxChannelStates,
    stateTtlMs: bounds.channelStateTtlMs,
  }
  return {
    person: { ...common, maxMessages: bounds.maxChannelMessages },
    account: { ...common, maxMessages: bounds.maxAccountChannelMessages },
  }
}

/** How long facts wait for the `received` fact of their event: it may be recorded after what the event led to. */
export const ORPHAN_FACTS_TTL_MS = HOUR_MS

/** How many biographies one call of `list` looks through at most, whatever the filter. */
export const MAX_SCANNED_BIOGRAPHIES = 1_000

/** How many dead letters one call of `list` looks through at most, whatever the filter. */
export const MAX_SCANNED_DEAD_LETTERS = 2_000

/** How many deliveries one call of `list` looks through at most, whatever the filter. */
export const MAX_SCANNED_DELIVERIES = 2_000

/** Deliveries that are found by their event. */
export const MAX_DELIVERIES_OF_EVENT = 1_000

/** The bounds of deliveries that the configuration of a service sets. */
export function deliveryBounds(config: {
  SIGNALBOX_MAX_DELIVERIES: number
  SIGNALBOX_DELIVERY_DAYS: number
}): StoreBounds {
  return {
    maxDeliveries: config.SIGNALBOX_MAX_DELIVERIES,
    deliveryTtlMs: config.SIGNALBOX_DELIVERY_DAYS * DAY_MS,
  }
}

/** The bounds of progress that the configuration of a service sets. */
export function progressBounds(config: {
  SIGNALBOX_PROGRESS_HOURS: number
  SIGNALBOX_MAX_PROGRESS: number
}): StoreBounds {
  return {
    progressTtlMs: config.SIGNALBOX_PROGRESS_HOURS * HOUR_MS,
    maxProgress: config.SIGNALBOX_MAX_PROGRESS,
  }
}

/** The bounds of what is refused beyond them, as far as the configuration of a service sets them. */
export function recordBounds(config: {
  SIGNALBOX_MAX_CHAINS?: number
  SIGNALBOX_MAX_CONTACTS?: number
  SIGNALBOX_MAX_DOCUMENTS?: number
  SIGNALBOX_MAX_API_KEYS?: number
  SIGNALBOX_MAX_LISTENERS?: number
}): StoreBounds {
  const bounds = {
    maxChains: config.SIGNALBOX_MAX_CHAINS,
    maxContacts: config.SIGNALBOX_MAX_CONTACTS,
    maxDocuments: config.SIGNALBOX_MAX_DOCUMENTS,
    maxApiKeys: config.SIGNALBOX_MAX_API_KEYS,
    maxListeners: config.SIGNALBOX_MAX_LISTENERS,
  }
  return Object.fromEntries(Object.entries(bounds).filter(([, bound]) => bound !== undefined))
}

/** The bounds that the configuration of a service sets. */
export function deadLetterBounds(config: {
  SIGNALBOX_MAX_DEAD_LETTERS: number
  SIGNALBOX_DEAD_LETTER_DAYS: number
}): StoreBounds {
  return {
    maxDeadLetters: config.SIGNALBOX_MAX_DEAD_LETTERS,
    deadLetterTtlMs: config.SIGNALBOX_DEAD_LETTER_DAYS * DAY_MS,
  }
}

/** The bounds of channels that the configuration of a service sets. */
export function channelBounds(config: {
  SIGNALBOX_EDGE_HISTORY: number
  SIGNALBOX_EDGE_ACCOUNT_HISTORY: number
  SIGNALBOX_EDGE_HISTORY_MINUTES: number
}): StoreBounds {
  return {
    maxChannelMessages: config.SIGNALBOX_EDGE_HISTORY,
    maxAccountChannelMessages: config.SIGNALBOX_EDGE_ACCOUNT_HISTORY,
    channelTtlMs: config.SIGNALBOX_EDGE_HISTORY_MINUTES * MINUTE_MS,
  }
}

/** Fills in the defaults. Throws `InvalidInputError` for a bound that is not a positive integer. */
export function resolveBounds(bounds: StoreBounds = {}): Required<StoreBounds> {
  const resolved = { ...DEFAULT_BOUNDS, ...bounds }
  for (const [name, value] of Object.entries(resolved)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new InvalidInputError(`${name} must be a positive integer, not ${value}`, {
        details: [{ path: name, message: 'must be a positive integer' }],
      })
    }
  }
  return resolved
}
