/** Listeners as delivering needs them, their secrets opened; looked up again after a few seconds, or when one is told that it changed. */
import type { Listener } from '@signalbox/contracts'
import type { Sealer } from '@signalbox/outbound'
import type { KeptListener, ListenerStore } from '@signalbox/store'
import { LRUCache } from 'lru-cache'

const MAX_LISTENERS = 10_000
const TTL_MS = 5_000

export interface OpenListener {
  listener: Listener
  /** To sign with, the newest first; those whose time is over are left out. */
  secretsAt(nowMs: number): string[]
  /** Headers that carry credentials, by their names in lower case. */
  secretHeaders: Readonly<Record<string, string>>
  /** Of a foreign AMQP broker. */
  password: string | undefined
}

export interface ListenerCache extends AsyncDisposable {
  /** Undefined: there is none. Rejects when the store is away, or what is sealed does not open. */
  find(accountKey: string, listenerId: string): Promise<OpenListener | undefined>
  /** Looks it up again the next time. */
  forget(accountKey: string, listenerId: string): void
}

export async function createListenerCache(deps: {
  listeners: Pick<ListenerStore, 'get' | 'onChange'>
  sealer: Pick<Sealer, 'open'>
}): Promise<ListenerCache> {
  const { listeners, sealer } = deps
  const lookups = new LRUCache<string, Promise<OpenListener | undefined>>({
    max: MAX_LISTENERS,
    ttl: TTL_MS,
    perf: { now: () => performance.now() },
  })
  const forget = (accountKey: string, listenerId: string) =>
    void lookups.delete(keyOf(accountKey, listenerId))
  const unsubscribe = await listeners.onChange(({ accountKey, listenerId }) =>
    forget(accountKey, listenerId),
  )

  async function lookUp(accountKey: string, listenerId: string): Promise<OpenListener | undefined> {
    const kept = await listeners.get(accountKey, listenerId)
    return kept && opened(kept, (sealed) => sealer.open(sealed, [accountKey, listenerId]))
  }

  return {
    find(accountKey, listenerId) {
      const key = keyOf(accountKey, listenerId)
      const known = lookups.get(key)
      if (known) return known
      const lookup = lookUp(accountKey, listenerId)
      lookups.set(key, lookup)
      lookup.catch(() => {
        if (lookups.peek(key) === lookup) lookups.delete(key)
      })
      return lookup
    },
    forget,
    [Symbol.asyncDispose]: () => unsubscribe(),
  }
}

function opened({ listener, secrets }: KeptListener, open: (sealed: string) => string) {
  const signing = secrets.signing.map(({ sealed, until }) => ({
    secret: open(sealed),
    untilMs: until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until),
  }))
  const secretHeaders: Record<string, string> = {}
  for (const [place, sealed] of Object.entries(secrets.callback)) {
    const name = /^(?:secret_)?headers\.(.+)$/.exec(place)?.[1]
    if (name !== undefined) secretHeaders[name.toLowerCase()] = open(sealed)
  }
  const { password } = secrets.callback
  return {
    listener,
    secretsAt: (nowMs: number) =>
      signing.filter(({ untilMs }) => untilMs > nowMs).map(({ secret }) => secret),
    secretHeaders,
    password: password === undefined ? undefined : open(password),
  }
}

/** n.b. names have no spaces. */
function keyOf(accountKey: string, listenerId: string): string {
  return `${accountKey} ${listenerId}`
}
