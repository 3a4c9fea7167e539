/** The whole way of callbacks: from an event that is published on RabbitMQ to the signed request that arrives at a server of this machine. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createPublisher, createTopology, openAmqpBroker } from '@signalbox/broker'
import { uuidv7 } from '@signalbox/contracts'
import { delay, silentLog } from '@signalbox/kit'
import { createSealer, newSigningSecret } from '@signalbox/outbound'
import { mendListenerChain, openRedisStore } from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import { NAMESPACE, startBench } from './brokers.ts'
import type { Arrival, ServerMessage } from './callback-server.ts'

const SEALING_KEY = '0123456789abcdef'.repeat(4)
const LISTENERS = 10
const TEXT = 'x'.repeat(300)
const PAGE_BYTES = 4_096

export interface CallbackServer extends AsyncDisposable {
  url: string
  listen(arrived: (arrivals: readonly Arrival[]) => void): void
}

export async function startCallbackServer(): Promise<CallbackServer> {
  const child = fork(new URL('./callback-server.ts', import.meta.url))
  let arrived: (arrivals: readonly Arrival[]) => void = () => undefined
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  child.on('message', (message) => {
    const told = message as ServerMessage
    if ('arrivals' in told) arrived(told.arrivals)
  })
  return {
    url: `http://127.0.0.1:${port}`,
    listen(listener) {
      arrived = listener
    },
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}

export type CallbackBench = Awaited<ReturnType<typeof openCallbackBench>>

/** A dispatcher and a callbacks process on brokers of their own. */
export async function openCallbackBench(server: CallbackServer) {
  await using stack = new AsyncDisposableStack()
  const bench = stack.use(await startBench())
  const { amqpUrl, redisUrl } = bench
  const topology = createTopology({ namespace: NAMESPACE })
  const store = stack.use(openRedisStore({ url: redisUrl, namespace: NAMESPACE, log: silentLog }))
  const broker = stack.use(
    await openAmqpBroker({ url: amqpUrl, topology, log: silentLog, connectionName: 'bench' }),
  )
  const publisher = createPublisher(broker)
  const sealer = createSealer({ keys: SEALING_KEY })
  await bench.start('dispatcher', 'services/dispatcher/src/main.ts')
  const callbacks = await bench.start('callbacks', 'services/callbacks/src/main.ts', {
    SIGNALBOX_SEALING_KEY: SEALING_KEY,
    SIGNALBOX_CALLBACK_ALLOW: '127.0.0.0/8',
    SIGNALBOX_CALLBACK_ALLOW_HTTP: 'true',
  })

  async function putListener(accountKey: string, name: string, path: string): Promise<void> {
    const now = new Date().toISOString()
    const sealed = sealer.seal(newSigningSecret(), [accountKey, name])
    const listener = {
      listener_id: name,
      name,
      event_types: [name],
      callback: { type: 'http' as const, url: `${server.url}${path}` },
      state: 'active' as const,
      created_at: now,
      updated_at: now,
      version: 1,
    }
    await store.listeners.create(accountKey, listener, {
      signing: [{ sealed, scheme: 'hmac-sha256' }],
      callback: {},
    })
    await mendListenerChain(store, accountKey, name)
  }

  /** n.b. a latency counts from `timestamp`. */
  const publish = (accountKey: string, name: string) =>
    publisher.event({
      event_id: uuidv7(),
      account_key: accountKey,
      conversation_key: 'c1',
      conversation_type: 'bench',
      event_type: name,
      timestamp: new Date().toISOString(),
      event_data: { text: TEXT },
    })

  const owned = stack.move()
  return {
    server,
    putListener,
    publish,
    /** MiB of the callbacks process. */
    async memory(): Promise<number> {
      const statm = await readFile(`/proc/${callbacks.process.pid}/statm`, 'utf8')
      return (Number(statm.split(' ')[1]) * PAGE_BYTES) / 2 ** 20
    },
    /** Callbacks that were put off so far. */
    async deferred(): Promise<number> {
      const text = await (await fetch(`${callbacks.url}/metrics`)).text()
      const counts = text.matchAll(/^signalbox_callbacks_deferred_total\{.*\} (\d+)/gm)
      return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Listeners of one account, `dead` of them at an endpoint that never answers. */
export async function openListeners(
  bench: CallbackBench,
  accountKey: string,
  dead: number,
): Promise<string[]> {
  const names = Array.from({ length: LISTENERS }, (_, index) => `hook-${index}`)
  for (const [index, name] of names.entries()) {
    await bench.putListener(accountKey, name, index < dead ? '/dead' : `/${accountKey}/${name}`)
  }
  return names
}

/** Publishes `count` in turn to each of `names`, at most `window` on their way to endpoints that answer; callbacks per second. */
export async function measureRate(
  bench: CallbackBench,
  {
    accountKey,
    names,
    dead,
    count,
    window,
  }: { accountKey: string; names: readonly string[]; dead: number; count: number; window: number },
): Promise<number> {
  let arrived = 0
  let published = 0
  let wake = () => {}
  bench.server.listen((arrivals) => {
    arrived += arrivals.filter(([path]) => path.startsWith(`/${accountKey}/`)).length
    wake()
  })
  const startedAtMs = performance.now()
  for (let sent = 0; arrived < count; ) {
    for (; published < count && published - arrived < window; sent += 1) {
      const index = sent % names.length
      if (index >= dead) published += 1
      void bench.publish(accountKey, names[index]!).catch(fail)
    }
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
  return (count * 1_000) / (performance.now() - startedAtMs)
}

/** Latencies of `count` events of one account at `rate` per second, while whatever else goes on. */
export async function measureLatency(
  bench: CallbackBench,
  {
    accountKey,
    name,
    rate,
    count,
  }: { accountKey: string; name: string; rate: number; count: number },
): Promise<number[]> {
  const latencies: number[] = []
  bench.server.listen((arrivals) => {
    for (const [path, latencyMs] of arrivals)
      if (path === `/${accountKey}`) latencies.push(latencyMs)
  })
  const startedAtMs = performance.now()
  for (let sent = 0; sent < count; sent += 1) {
    await delay(Math.max(0, startedAtMs + (sent * 1_000) / rate - performance.now()))
    void bench.publish(accountKey, name).catch(fail)
  }
  await waitFor(async () => latencies.length >= count, {
    what: `${count} callbacks of ${accountKey} to arrive`,
    timeoutMs: 60_000,
  })
  return latencies
}

/** Publishes `count` for one listener, at most `window` unconfirmed. */
export async function queueMany(
  bench: CallbackBench,
  {
    accountKey,
    name,
    count,
    window,
  }: { accountKey: string; name: string; count: number; window: number },
): Promise<void> {
  let sent = 0
  const lane = async () => {
    while (sent < count) {
      sent += 1
      await bench.publish(accountKey, name)
    }
  }
  await Promise.all(Array.from({ length: window }, lane))
}

function fail(error: unknown): never {
  console.error(error)
  process.exit(1)
}
