/**
 * Signed callbacks over HTTP to a server of this machine, beside undici's Pool with an HMAC in the same run: by the library alone, and the whole
 * way from an event on RabbitMQ.
 *
 *   node bench/callbacks.ts [--requests 20000] [--rounds 3] [--concurrency 128]
 *     [--events 10000] [--window 1000] [--queued 100000] [--library]
 *
 * The server is a process of its own. The library: one endpoint, one connection per request under way, a body of 500 bytes. Rounds alternate
 * between the candidates; the medians are reported. The whole way: ten listeners of one account, dispatcher and callbacks in processes of
 * their own; the same with one of the ten dead; and the latency of an account while another one has `queued` callbacks for an endpoint that
 * takes a second for each. `--library` leaves the whole way out.
 */
import { createHmac } from 'node:crypto'
import { parseArgs } from 'node:util'
import {
  createAddressPolicy,
  createDnsResolver,
  createEndpointGuard,
  createHttpDelivery,
  createSigner,
  newSigningSecret,
  passResultOf,
} from '@signalbox/outbound'
import { Pool } from 'undici'
import {
  type CallbackServer,
  measureLatency,
  measureRate,
  openCallbackBench,
  openListeners,
  queueMany,
  startCallbackServer,
} from './callback-service.ts'
import { median, percentile, table } from './statistics.ts'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '128' },
    events: { type: 'string', default: '10000' },
    window: { type: 'string', default: '1000' },
    queued: { type: 'string', default: '100000' },
    library: { type: 'boolean', default: false },
  },
})
const REQUESTS = Number(values.requests)
const CONCURRENCY = Number(values.concurrency)
const BODY = JSON.stringify({ type: 'poll_complete', data: { text: 'x'.repeat(460) } })

interface Sample {
  perSecond: number
  /** CPU time of this process for each. */
  cpuMicros: number
}

/** `CONCURRENCY` at a time. */
async function sampleOf(send: (index: number) => Promise<void>): Promise<Sample> {
  let next = 0
  const cpu = process.cpuUsage()
  const startedAtMs = performance.now()
  const lane = async (): Promise<void> => {
    while (next < REQUESTS) {
      next += 1
      await send(next)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, lane))
  const perSecond = REQUESTS / ((performance.now() - startedAtMs) / 1_000)
  const { user, system } = process.cpuUsage(cpu)
  return { perSecond, cpuMicros: (user + system) / REQUESTS }
}

async function measureLibrary(server: CallbackServer): Promise<void> {
  const url = `${server.url}/`
  const secret = newSigningSecret()
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')

  const pool = new Pool(url, { connections: CONCURRENCY })
  const policy = createAddressPolicy({ allow: ['127.0.0.1'], allowHttp: true })
  const delivery = createHttpDelivery(
    { connectionsPerOrigin: CONCURRENCY },
    { policy, resolve: createDnsResolver() },
  )
  const signer = createSigner()
  const guard = createEndpointGuard({ limits: { maxConcurrent: CONCURRENCY } })

  const ways: [name: string, send: (index: number) => Promise<void>][] = [
    [
      'undici Pool and an HMAC',
      async (index) => {
        const timestamp = String(Math.floor(Date.now() / 1_000))
        const content = `${index}.${timestamp}.${BODY}`
        const signature = createHmac('sha256', key).update(content).digest('base64')
        const response = await pool.request({
          path: '/',
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'webhook-id': String(index),
            'webhook-timestamp': timestamp,
            'webhook-signature': `v1,${signature}`,
          },
          body: BODY,
        })
        await response.body.dump()
      },
    ],
    [
      'guard, signature, delivery',
      async (index) => {
        const answer = guard.ask(url)
        if (!answer.go) throw new Error(`told to wait: ${answer.reason}`)
        const timestampMs = Date.now()
        const signed = { id: String(index), timestampMs, body: BODY, secrets: [secret] }
        const ownHeaders = { ...signer.headersOf(signed) }
        const outcome = await delivery.deliver({ url, ownHeaders, body: BODY })
        if (outcome.outcome !== 'delivered') throw new Error(JSON.stringify(outcome))
        answer.pass.settle(passResultOf(outcome))
      },
    ],
  ]
  const samples = new Map<string, Sample[]>()
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const [name, send] of ways) {
      samples.set(name, [...(samples.get(name) ?? []), await sampleOf(send)])
    }
  }
  const rows = [...samples].map(([name, list]) => [
    name,
    Math.round(median(list.map(({ perSecond }) => perSecond))).toLocaleString('en'),
    Math.round(median(list.map(({ cpuMicros }) => cpuMicros))),
  ])
  console.log(table([['callbacks', 'per second', 'CPU of the sender, µs each'], ...rows]))
  await Promise.all([pool.close(), delivery.close()])
}

const LATENCY_RATE = 50
const LATENCY_COUNT = 500

async function measureService(server: CallbackServer): Promise<void> {
  const [count, window] = [Number(values.events), Number(values.window)]
  await using bench = await openCallbackBench(server)
  const rows: (string | number)[][] = [
    ['the whole way', 'callbacks per second', 'MiB before', 'MiB after', 'put off'],
  ]
  for (const [title, accountKey, dead] of [
    ['to warm up', 'warm', 0],
    ['ten listeners', 'ten', 0],
    ['ten listeners, one of them dead', 'dead', 1],
    ['the same again', 'dead', 1],
  ] as const) {
    const isKnown = rows.some(([known]) => known === 'ten listeners, one of them dead')
    const names =
      isKnown && title === 'the same again'
        ? Array.from({ length: 10 }, (_, index) => `hook-${index}`)
        : await openListeners(bench, accountKey, dead)
    const [before, deferredBefore] = [await bench.memory(), await bench.deferred()]
    const perSecond = await measureRate(bench, { accountKey, names, dead, count, window })
    const deferred = (await bench.deferred()) - deferredBefore
    const after = await bench.memory()
    rows.push([title, Math.round(perSecond), Math.round(before), Math.round(after), deferred])
  }
  console.log(table(rows))

  const queued = Number(values.queued)
  await bench.putListener('calm', 'calm', '/calm')
  await bench.putListener('crowd', 'crowd', '/slow/1000')
  const measure = () =>
    measureLatency(bench, {
      accountKey: 'calm',
      name: 'calm',
      rate: LATENCY_RATE,
      count: LATENCY_COUNT,
    })
  const latencies: [string, number[]][] = [['nobody else', await measure()]]
  await queueMany(bench, { accountKey: 'crowd', name: 'crowd', count: queued, window })
  latencies.push([`while ${queued} are sorted out`, await measure()])
  latencies.push([`with ${queued} waiting`, await measure()])
  console.log(
    table([
      ['an account beside', 'p50 ms', 'p99 ms', 'MiB', 'put off'],
      ...(await Promise.all(
        latencies.map(async ([title, list]) => [
          title,
          percentile(list, 0.5).toFixed(1),
          percentile(list, 0.99).toFixed(1),
          Math.round(await bench.memory()),
          await bench.deferred(),
        ]),
      )),
    ]),
  )
}

await using server = await startCallbackServer()
await measureLibrary(server)
if (!values.library) await measureService(server)
