/** The Redis engine: what production runs. */
import { ConfigError, InvalidInputError, type Log, maskUrl } from '@signalbox/kit'
import { resolveBounds } from '../bounds.ts'
import { createForgetting } from '../forgetting.ts'
import type { Store, StoreBounds } from '../ports.ts'
import { createRedisApiKeys } from './api-keys.ts'
import { Availability } from './availability.ts'
import { createRedisBiographies } from './biographies.ts'
import { createRedisCatalog } from './catalog.ts'
import { createRedisChains } from './chains.ts'
import { createRedisChannels } from './channels.ts'
import { createChronicle } from './chronicle.ts'
import { RedisConnection } from './connection.ts'
import { createRedisContacts } from './contacts.ts'
import { createRedisDeadLetters } from './dead-letters.ts'
import { createRedisDeliveries } from './deliveries.ts'
import { createRedisDocuments } from './documents.ts'
import { createKeys } from './keys.ts'
import { createRedisListeners } from './listeners.ts'
import { createRedisPresence } from './presence.ts'
import { createRedisProgress } from './progress.ts'
import { createRedisInterest, createRedisRoster } from './relaying.ts'
import { createRedisRevocations } from './revocations.ts'
import { Subscriptions } from './subscriptions.ts'

const DEFAULT_COMMAND_TIMEOUT_MS = 2_000

export interface RedisStoreOptions {
  /** `redis://` or `rediss://`; its password is never logged. */
  url: string
  /** Prefix of every key and pub/sub channel. */
  namespace: string
  log: Log
  bounds?: StoreBounds
  /** How long a command may take, and how long one waits for a lost connection; default 2,000. */
  commandTimeoutMs?: number
}

/**
 * Connects in the background, over two connections: one for commands, one for pub/sub. Both come back by themselves for ever.
 * Throws `ConfigError` for a bad URL or namespace.
 */
export function openRedisStore(options: RedisStoreOptions): Store {
  const { url, log, commandTimeoutMs = DEFAULT_COMMAND_TIMEOUT_MS } = options
  const bounds = resolveBounds(options.bounds)
  const keys = createKeys(options.namespace)
  checkUrl(url)
  checkTimeout(commandTimeoutMs)

  const availability = new Availability({ shownUrl: maskUrl(url), log })
  const connect = (name: string) =>
    new RedisConnection(
      { url, name, commandTimeoutMs, probeKey: keys.writeProbe },
      { availability },
    )
  const connection = connect('commands')
  const subscriber = connect('subscriptions')
  const subscriptions = new Subscriptions(subscriber, log)
  const forgetting = createForgetting()
  const chronicle = createChronicle(bounds, {
    connection,
    keys,
    onProgressForgotten: forgetting.tell,
  })
  const close = async () => {
    await Promise.all([connection.close(), subscriber.close()])
  }

  return {
    chains: createRedisChains(bounds, { connection, keys, subscriptions }),
    catalog: createRedisCatalog({ connection, keys }),
    contacts: createRedisContacts(bounds, { connection, keys }),
    channels: createRedisChannels(bounds, { connection, keys, subscriptions }),
    interest: createRedisInterest({ connection, keys }),
    relays: createRedisRoster({ connection, keys }),
    apiKeys: createRedisApiKeys(bounds, { connection, keys }),
    revocations: createRedisRevocations({ connection, keys, subscriptions }),
    presence: createRedisPresence({ connection, keys }),
    biographies: createRedisBiographies(bounds, { connection, keys, chronicle }),
    deadLetters: createRedisDeadLetters(bounds, { connection, keys }),
    listeners: createRedisListeners(bounds, { connection, keys, subscriptions }),
    deliveries: createRedisDeliveries(bounds, { connection, keys }),
    documents: createRedisDocuments(bounds, { connection, keys }),
    progress: {
      ...createRedisProgress({ connection, keys, chronicle }),
      onForgotten: forgetting.listen,
    },
    unavailableReason: () =>
      connection.unavailableReason() ?? subscriber.unavailableReason() ?? availability.reason(),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function checkUrl(url: string): void {
  const protocol = URL.parse(url)?.protocol
  if (protocol === 'redis:' || protocol === 'rediss:') return
  const message = 'must be a redis:// or rediss:// URL'
  throw new ConfigError(`the Redis URL ${message}`, { details: [{ path: 'url', message }] })
}

function checkTimeout(commandTimeoutMs: number): void {
  if (Number.isFinite(commandTimeoutMs) && commandTimeoutMs > 0) return
  const message = `must be a positive number, not ${commandTimeoutMs}`
  throw new InvalidInputError(`commandTimeoutMs ${message}`, {
    details: [{ path: 'commandTimeoutMs', message }],
  })
}
