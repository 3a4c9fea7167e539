/**
 * One slow handler beside a quick one, in the same worker: how long events of the quick one take while the slow one sleeps 10 s for each
 * of hundreds of invocations, beside how long they take alone, in the same run.
 *
 *   node bench/lanes.ts [--rounds 3] [--rate 200] [--seconds 4] [--sleepers 400] [--sleep-ms 10000]
 *
 * The chain of the quick handler ends in this process, which publishes as well; a latency counts from the time at which the publish was due.
 * After each round the slow handler's queue is purged, and what it has in hand is waited for.
 */
import { parseArgs } from 'node:util'
import amqp from 'amqplib'
import { startBench } from './brokers.ts'
import { benchEvent, openLastStep } from './last-step.ts'
import { measureLatencies } from './open-loop.ts'
import { median, percentile, table } from './statistics.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '4' },
    sleepers: { type: 'string', default: '400' },
    'sleep-ms': { type: 'string', default: '10000' },
  },
})
const ROUNDS = Number(values.rounds)
const RATE = Number(values.rate)
const COUNT = RATE * Number(values.seconds)
const SLEEPERS = Number(values.sleepers)
const SLEEP_MS = Number(values['sleep-ms'])
/** Of the sleepers, at least so many wait in the queue while the others sleep. */
const QUEUED_SHARE = 0.75

const WARM_UP = 200
const POLL_MS = 50
const TIMEOUT_MS = 20_000

await using bench = await startBench()
await using last = await openLastStep(bench)
await bench.start('dispatcher', 'services/dispatcher/src/main.ts')
await bench.start('bench-worker', 'bench/noop-worker.ts')
await last.putChain('quick', [
  { id: 'quick', handler: 'noop', config: { text: 'x' } },
  { id: 'last', handler: 'last', config: {} },
])
await last.putChain('slow', [{ id: 'slow', handler: 'sleep', config: { ms: SLEEP_MS } }])
const slowQueue = last.broker.topology.handlerQueue('sleep').name
const connection = await amqp.connect(bench.amqpUrl)
const amqpChannel = await connection.createChannel()

await measure(WARM_UP)
const alone: number[][] = []
const beside: number[][] = []
const queued: number[] = []
for (let round = 0; round < ROUNDS; round++) {
  alone.push(await measure(COUNT))
  for (let index = 0; index < SLEEPERS; index++) await last.publish(benchEvent('slow', index))
  await until(async () => (await waiting()) >= QUEUED_SHARE * SLEEPERS, 'the sleepers to be queued')
  beside.push(await measure(COUNT))
  queued.push(await waiting())
  await amqpChannel.purgeQueue(slowQueue)
  if (round + 1 < ROUNDS) await pause(SLEEP_MS)
}
await connection.close()

const row = (name: string, samples: readonly number[][], waited: string) => [
  name,
  ...[0.5, 0.99].flatMap((share) => {
    const rounds = samples.map((latencies) => percentile(latencies, share))
    return [median(rounds).toFixed(1), rounds.map((ms) => ms.toFixed(1)).join(', ')]
  }),
  waited,
  samples.reduce((lost, latencies) => lost + COUNT - latencies.length, 0),
]
console.log(
  table([
    ['the quick handler', 'p50 ms', 'rounds', 'p99 ms', 'rounds', 'slow ones still queued', 'lost'],
    row('alone', alone, '0'),
    row(`beside one that sleeps ${SLEEP_MS / 1_000} s`, beside, queued.join(', ')),
  ]),
)

function measure(count: number): Promise<number[]> {
  return measureLatencies({
    rate: RATE,
    count,
    publish: (index) => last.publish(benchEvent('quick', index)),
    listen: last.listen,
  })
}

async function waiting(): Promise<number> {
  return (await amqpChannel.checkQueue(slowQueue)).messageCount
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + TIMEOUT_MS
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`waited in vain for ${what}`)
    await pause(POLL_MS)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
