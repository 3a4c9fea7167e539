/**
 * Signed callbacks over HTTP to a server of this machine, beside undici's Pool with an HMAC in the same run.
 *
 *   node bench/callbacks.ts [--requests 20000] [--rounds 3] [--concurrency 128]
 *
 * The server is a process of its own. One endpoint, one connection per request under way, a body of 500 bytes. Rounds alternate between the
 * candidates; the medians are reported.
 */
import { fork } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
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
import { median, table } from './statistics.ts'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '128' },
    serve: { type: 'boolean', default: false },
  },
})
const REQUESTS = Number(values.requests)
const CONCURRENCY = Number(values.concurrency)
const BODY = JSON.stringify({ type: 'poll_complete', data: { text: 'x'.repeat(460) } })

/** The process that answers: every request with 204. */
async function serve(): Promise<void> {
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(204).end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.send?.((server.address() as AddressInfo).port)
}

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

async function measure(): Promise<void> {
  const child = fork(import.meta.filename, ['--serve'])
  const [port] = (await once(child, 'message')) as [number]
  const url = `http://127.0.0.1:${port}/`
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
  child.kill()
}

await (values.serve ? serve() : measure())
