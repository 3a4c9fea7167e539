/**
 * Disabling a listener whose endpoint is gone (410), or has failed for days: everybody who wants to know is told by the event `listener_disabled`
 * (conversation type `signalbox`, the listener is the conversation), which chains can react to.
 *
 * The event is published first, under an identity that follows from the listener's version: a death in between repeats it, and it has no second
 * effect.
 */
import { derivedUuid, type EventInput, type Listener } from '@signalbox/contracts'
import type { Log } from '@signalbox/kit'
import {
  type DeliveryStore,
  type ListenerStore,
  mendListenerChain,
  type Store,
} from '@signalbox/store'
import { LRUCache } from 'lru-cache'
import type { ListenerName } from './delivery-recorder.ts'
import type { CallbackMetrics } from './metrics.ts'

const DAY_MS = 86_400_000
const DEFAULT_FAILING_MS = 5 * DAY_MS
/** How often it is looked since when a listener has been failing, at most. */
const LOOK_EVERY_MS = 60_000
const MAX_LOOKED_AT = 10_000

export interface DisablingOptions {
  /** How long an endpoint may fail, without a success in between, before its listener is disabled; default 5 days. */
  failingMs?: number | undefined
}

export interface DisablingDeps {
  listeners: Pick<ListenerStore, 'get' | 'update'>
  chains: Store['chains']
  deliveries: Pick<DeliveryStore, 'counts'>
  publishEvent(event: EventInput): Promise<unknown>
  /** The listener is to be looked up again. */
  forget(accountKey: string, listenerId: string): void
  metrics: CallbackMetrics
  log: Log
  /** The wall clock; default `Date.now`. */
  now?(): number
}

export interface Disabling {
  /** Idempotent; never rejects: when broker or store are away, the next 410 does it. */
  gone(accountKey: string, listener: ListenerVersion): Promise<void>
  /** Disables those that have failed for too long; never rejects: what is not done now, a later failure does. */
  look(failed: readonly ListenerName[]): Promise<void>
}

type ListenerVersion = Pick<Listener, 'listener_id' | 'version'>

export function createDisabling(options: DisablingOptions, deps: DisablingDeps): Disabling {
  const { failingMs = DEFAULT_FAILING_MS } = options
  const { listeners, chains, deliveries, publishEvent, forget, metrics, log } = deps
  const { now = Date.now } = deps
  /** Several attempts may see the same at once. */
  const underWay = new Map<string, Promise<void>>()
  const lookedAt = new LRUCache<string, true>({ max: MAX_LOOKED_AT, ttl: LOOK_EVERY_MS })

  async function disable(
    accountKey: string,
    { listener_id, version }: ListenerVersion,
    reason: string,
  ): Promise<void> {
    await publishEvent({
      event_id: derivedUuid('listener_disabled', accountKey, listener_id, String(version)),
      account_key: accountKey,
      conversation_key: listener_id,
      conversation_type: 'signalbox',
      event_type: 'listener_disabled',
      event_data: { listener_id, reason },
    })
    const updated_at = new Date(now()).toISOString()
    await listeners.update(accountKey, listener_id, (kept) => {
      // n.b. somebody who changed it since may have corrected it.
      if (kept.listener.version !== version) return kept
      const state = 'disabled'
      return { ...kept, listener: { ...kept.listener, state, disabled_reason: reason, updated_at } }
    })
    forget(accountKey, listener_id)
    await mendListenerChain({ listeners, chains }, accountKey, listener_id)
    metrics.disabled.inc()
    log.warn({ accountKey, listenerId: listener_id, reason }, 'listener.disabled')
  }

  function disableOnce(
    accountKey: string,
    listener: ListenerVersion,
    reason: string,
  ): Promise<void> {
    const { listener_id: listenerId, version } = listener
    const key = `${accountKey} ${listenerId} ${version}`
    const known = underWay.get(key)
    if (known) return known
    const disabling = disable(accountKey, listener, reason)
      .catch((error: unknown) => {
        log.warn({ err: error, accountKey, listenerId }, 'listener.not_disabled')
      })
      .finally(() => underWay.delete(key))
    underWay.set(key, disabling)
    return disabling
  }

  async function lookAt({ accountKey, listenerId }: ListenerName): Promise<void> {
    const key = `${accountKey} ${listenerId}`
    if (lookedAt.has(key)) return
    lookedAt.set(key, true)
    try {
      const { failing_since: since } = await deliveries.counts(accountKey, listenerId)
      if (since === undefined || now() - Date.parse(since) < failingMs) return
      const kept = await listeners.get(accountKey, listenerId)
      if (kept?.listener.state !== 'active') return
      const days = Math.floor(failingMs / DAY_MS)
      await disableOnce(accountKey, kept.listener, `the endpoint has failed for ${days} days`)
    } catch (error) {
      log.warn({ err: error, accountKey, listenerId }, 'listener.not_looked_at')
    }
  }

  return {
    gone: (accountKey, listener) =>
      disableOnce(accountKey, listener, 'the endpoint answered 410: it is gone'),
    async look(failed) {
      await Promise.all(failed.map(lookAt))
    },
  }
}
