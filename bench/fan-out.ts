/**
 * From one event to many sockets: the edge beside raw ws and socket.io, in the same run.
 *
 *   node bench/fan-out.ts [--clients 1000,5000] [--burst 50] [--rounds 5] [--idle 5000] [--only <candidate>]
 *
 * - deliveries/s: bursts of 300-byte events to all clients, one event per turn of the event loop; from the first event to the last
 *   frame at the last client. The clients are another process, which reads no more of a frame than its header. Beside it the CPU time
 *   of the server's process per delivery, which says more than the rate on a machine that is busy with other things.
 * - connections/s: opening them, 100 at a time; at the edge with a token that is verified.
 * - RSS per idle connection: of the server's process, by how much it grows from 500 connections to 500 and as many as asked for.
 *
 * Each candidate is a process of its own; candidates take turns, round by round.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { parseArgs } from 'node:util'
import { issueToken } from '@signalbox/kit'
import { TOKEN_SECRET } from './brokers.ts'
import type { ClientsRequest } from './fan-out-clients.ts'
import { median, table } from './statistics.ts'

const ACCOUNT = 'bench'

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '1000,5000' },
    burst: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '5' },
    idle: { type: 'string', default: '5000' },
    only: { type: 'string', multiple: true },
  },
})
const CLIENT_COUNTS = values.clients
  .split(',')
  .map(Number)
  .filter((count) => count > 0)
const BURST = Number(values.burst)
const ROUNDS = Number(values.rounds)
const IDLE = Number(values.idle)

/** Connections that are opened first, so that code is compiled and pools are there. */
const WARMING = 500

/** Bursts of one round; the first one warms up. */
const BURSTS = 4

interface Approach {
  path: string
  texts: string[]
  answers: number
}

const { token } = await issueToken(TOKEN_SECRET, { accountKey: ACCOUNT }, 3_600)
const BARE: Approach = { path: '/', texts: [], answers: 0 }
const EDGE: Approach = {
  path: `/v1/socket?token=${token}`,
  texts: [
    '{"action":"subscribe_state_change","request_id":1,"data":{"person_key":"everybody","entity":"flow"}}',
  ],
  answers: 1,
}
const CANDIDATES: Record<string, Approach> = {
  'ws, stringify once': BARE,
  'ws, frame once': BARE,
  'ws, frame once, by its sender': BARE,
  'socket.io': { path: '/socket.io/?EIO=4&transport=websocket', texts: ['40'], answers: 2 },
  'edge, joining': EDGE,
  'edge, not joining': EDGE,
}
const names = Object.keys(CANDIDATES).filter((name) => values.only?.includes(name) ?? true)

for (const count of CLIENT_COUNTS) {
  const rates = new Map<string, number[]>(names.map((name) => [name, []]))
  const openings = new Map<string, number[]>(names.map((name) => [name, []]))
  const cpuTimes = new Map<string, number[]>(names.map((name) => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const { deliveries, connections, cpuUs } = await measureRound(name, count)
      cpuTimes.get(name)?.push(cpuUs)
      rates.get(name)?.push(deliveries)
      openings.get(name)?.push(connections)
    }
  }
  const figure = (samples: Map<string, number[]>, name: string) => median(samples.get(name) ?? [])
  const ratio = (name: string, to: string) => (figure(rates, name) / figure(rates, to)).toFixed(2)
  console.log(`\n${count} clients, bursts of ${BURST}, medians of ${ROUNDS} rounds\n`)
  console.log(
    table([
      [
        'candidate',
        'deliveries/s',
        'of stringify once',
        'of frame once',
        'rounds',
        'µs of CPU each',
        'connections/s',
      ],
      ...names.map((name) => [
        name,
        Math.round(figure(rates, name)).toLocaleString('en'),
        ratio(name, 'ws, stringify once'),
        ratio(name, 'ws, frame once'),
        `${(rates.get(name) ?? []).map((rate) => Math.round(rate / 1_000)).join(', ')} k`,
        figure(cpuTimes, name).toFixed(2),
        Math.round(figure(openings, name)).toLocaleString('en'),
      ]),
    ]),
  )
}

if (IDLE > 0) {
  const rows: (string | number)[][] = []
  for (const name of names)
    rows.push([name, ...(await measureIdle(name, { ...CANDIDATES[name]!, ...silent(name) }))])
  if (names.includes('edge, joining')) {
    const texts = [EDGE.texts[0]!.replace('everybody', 'p{n}')]
    rows.push([
      'edge, each subscribed to a person of its own',
      ...(await measureIdle('edge, joining', { ...EDGE, texts })),
    ])
  }
  console.log(`\n${IDLE} idle connections\n`)
  console.log(table([['candidate', 'RSS per connection, KB', 'of it on the heap'], ...rows]))
}

/** Connected and nothing more; socket.io has to have said hello. */
function silent(name: string): Partial<Approach> {
  return name.startsWith('edge') ? { texts: [], answers: 0 } : {}
}

async function measureRound(name: string, count: number) {
  const { path, texts, answers } = CANDIDATES[name]!
  await using server = await startServer(name)
  await using clients = startChild('fan-out-clients.ts')
  const opening = performance.now()
  await clients.ask({ open: { port: server.port, paths: Array(count).fill(path), texts, answers } })
  const connections = (count / (performance.now() - opening)) * 1_000
  const samples: number[] = []
  let cpuBeforeUs = 0
  for (let burst = 0; burst <= BURSTS; burst++) {
    await clients.ask({ await: { frames: count * BURST } })
    if (burst === 1) cpuBeforeUs = await server.cpuUs()
    const arrived = clients.next()
    const began = performance.now()
    server.send({ publish: { count: BURST } })
    await arrived
    if (burst > 0) samples.push(((count * BURST) / (performance.now() - began)) * 1_000)
  }
  const deliveries = median(samples)
  const cpuUs = ((await server.cpuUs()) - cpuBeforeUs) / (count * BURST * BURSTS)
  console.error(
    `${name}, ${count} clients: ${Math.round(deliveries)} deliveries/s, ${cpuUs.toFixed(2)} µs of CPU each`,
  )
  return { deliveries, connections, cpuUs }
}

async function measureIdle(name: string, { path, texts, answers }: Approach): Promise<string[]> {
  await using server = await startServer(name)
  await using clients = startChild('fan-out-clients.ts')
  const request = (count: number) => ({
    open: { port: server.port, paths: Array<string>(count).fill(path), texts, answers },
  })
  await clients.ask(request(WARMING))
  await settled()
  const before = await server.memory()
  await clients.ask(request(IDLE))
  await settled()
  const after = await server.memory()
  const kilobytes = (key: keyof typeof after) =>
    ((after[key] - before[key]) / IDLE / 1024).toFixed(1)
  console.error(`${name}: ${kilobytes('rssBytes')} KB`)
  return [kilobytes('rssBytes'), kilobytes('heapBytes')]
}

/** Closed sockets are gone, buffers are freed. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2_000))
}

async function startServer(name: string) {
  const child = startChild('fan-out-server.ts', name)
  const { port } = (await child.next()) as { port: number }
  return {
    ...child,
    port,
    async cpuUs(): Promise<number> {
      const { cpuUs } = (await child.ask({ cpu: true })) as { cpuUs: number }
      return cpuUs
    },
    async memory() {
      return (await child.ask({ memory: true })) as { rssBytes: number; heapBytes: number }
    },
  }
}

function startChild(entry: string, ...args: string[]) {
  const child = fork(new URL(entry, import.meta.url), args, {
    execArgv: ['--expose-gc'],
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const next = () => nextMessage(child)
  const send = (request: object) => child.send(request)
  return {
    next,
    send,
    ask(request: ClientsRequest | object) {
      const answer = next()
      send(request)
      return answer
    },
    async [Symbol.asyncDispose]() {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
    },
  }
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error('the process has ended'))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      if (typeof message === 'object' && 'failed' in message)
        reject(new Error(String(message.failed)))
      else resolve(message)
    })
  })
}
