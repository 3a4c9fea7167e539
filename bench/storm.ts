/**
 * A storm: an edge dies (kill -9) with many clients on it, another takes its place, and all come back at once and resume.
 *
 *   node bench/storm.ts [--clients 10000] [--accepts 500]
 *
 * The clients keep to the protocol: they wait as `Retry-After` says, and resume with their cursors. While nobody is there every person's
 * state changes once. What is measured: how long until all are back and have what they missed, how the edge accepted them, second by
 * second, how many were refused, and whether anybody missed a change or got one twice. Clients, brokers and edge share the machine.
 */
import { parseArgs } from 'node:util'
import { createPublisher, createTopology, openAmqpBroker } from '@signalbox/broker'
import { completeEvent } from '@signalbox/contracts'
import { issueToken, silentLog } from '@signalbox/kit'
import { openReturningClient, type ReturningClient, waitFor } from '@signalbox/testkit'
import { NAMESPACE, startBench, TOKEN_SECRET } from './brokers.ts'
import { percentile, table } from './statistics.ts'

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '10000' },
    accepts: { type: 'string', default: '500' },
  },
})
const CLIENTS = Number(values.clients)
const ACCOUNT = 'bench'
const OPENED_PER_SECOND = 500
const PUBLISHED_AT_ONCE = 500
const PATIENCE_MS = 300_000
const TOKEN_TTL_S = 3_600

await using bench = await startBench()
const topology = createTopology({ namespace: NAMESPACE })
await using broker = await openAmqpBroker({
  url: bench.amqpUrl,
  topology,
  log: silentLog,
  connectionName: 'bench',
})
const publisher = createPublisher(broker)

const first = await startEdge('0')
let origin = first.url
const clients: ReturningClient[] = []
for (let index = 0; index < CLIENTS; index++) {
  const personKey = `p${index}`
  const { token } = await issueToken(TOKEN_SECRET, { accountKey: ACCOUNT, personKey }, TOKEN_TTL_S)
  const url = () => `${origin.replace('http', 'ws')}/v1/socket`
  clients.push(openReturningClient({ url, token, personKey }))
  if (index % OPENED_PER_SECOND === 0) await allLive()
}
await allLive()
await changeEverybody('before')
await haveAll(['before'])
console.error(`${CLIENTS} clients are subscribed, the edge has ${await rssOf(first.url)} MB`)

first.process.kill('SIGKILL')
await first.process.exited
await changeEverybody('meanwhile')
const second = await startEdge(values.accepts)
origin = second.url

const beganMs = performance.now()
const backAtS = new Map<ReturningClient, number>()
const acceptedBySecond: number[] = []
await waitFor(
  () => {
    const nowS = (performance.now() - beganMs) / 1_000
    for (const client of clients) {
      if (backAtS.has(client) || client.ids.length < 2) continue
      backAtS.set(client, nowS)
      acceptedBySecond[Math.floor(nowS)] = (acceptedBySecond[Math.floor(nowS)] ?? 0) + 1
    }
    return backAtS.size === CLIENTS
  },
  { what: 'everybody to be back', timeoutMs: PATIENCE_MS, intervalMs: 50 },
)
const rss = await rssOf(second.url)
await changeEverybody('after')
await haveAll(['before', 'meanwhile', 'after'])

const seconds = [...backAtS.values()]
const refusals = clients.map(({ refusals }) => refusals.get(503) ?? 0)
const wrong = clients.filter(({ ids }) => ids.join() !== 'before,meanwhile,after').length
const notRecovered = clients.filter(({ resumes }) => resumes.lost > 0).length
console.log(
  table([
    [
      'clients',
      'accepts/s',
      'back: half',
      '99 %',
      'all',
      'refused',
      'most often',
      'edge MB',
      'gaps or doubles',
      'not recovered',
    ],
    [
      CLIENTS.toLocaleString('en'),
      values.accepts,
      ...[0.5, 0.99, 1].map((share) => `${percentile(seconds, share).toFixed(1)} s`),
      refusals.reduce((sum, count) => sum + count, 0).toLocaleString('en'),
      `${Math.max(...refusals)} times`,
      rss,
      wrong,
      notRecovered,
    ],
  ]),
)
console.log(`back per second: ${Array.from(acceptedBySecond, (count) => count ?? 0).join(' ')}`)
process.exit(wrong + notRecovered > 0 ? 1 : 0)

function startEdge(acceptsPerSecond: string) {
  return bench.start('edge', 'services/edge/src/main.ts', {
    SIGNALBOX_EDGE_ACCEPTS_PER_SECOND: acceptsPerSecond,
    SIGNALBOX_EDGE_MAX_CONNECTIONS: String(2 * CLIENTS),
    SIGNALBOX_EDGE_MAX_CONNECTIONS_PER_ADDRESS: String(2 * CLIENTS),
    SIGNALBOX_EDGE_MAX_CONNECTIONS_PER_ACCOUNT: String(2 * CLIENTS),
  })
}

async function allLive(): Promise<void> {
  await waitFor(() => clients.every(({ isLive }) => isLive), {
    what: 'everybody to be subscribed',
    timeoutMs: PATIENCE_MS,
  })
}

async function haveAll(ids: string[]): Promise<void> {
  await waitFor(() => clients.every((client) => client.ids.length >= ids.length), {
    what: `everybody to have ${ids.join(', ')}`,
    timeoutMs: PATIENCE_MS,
  })
}

async function changeEverybody(id: string): Promise<void> {
  const change = (person_key: string) =>
    completeEvent({
      account_key: ACCOUNT,
      conversation_key: 'c1',
      conversation_type: 'bench',
      event_type: 'flow_state_change',
      person_key,
      event_data: { id, identifier: 'bench', state: 'active', previous_state: 'paused' },
    })
  for (let from = 0; from < CLIENTS; from += PUBLISHED_AT_ONCE) {
    const some = clients.slice(from, from + PUBLISHED_AT_ONCE)
    await Promise.all(some.map((_, index) => publisher.event(change(`p${from + index}`))))
  }
}

/** In MB. */
async function rssOf(url: string): Promise<string> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const bytes = Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1])
  return (bytes / 1024 ** 2).toFixed(0)
}
