/**
 * Chains of 1 and 3 steps on RabbitMQ and Redis, beside a raw amqplib hop in the same run: how many events per second, what CPU time each
 * takes and whose, and how long an event needs to its last step.
 *
 *   node bench/chains.ts [--events 20000] [--rounds 3] [--window 2000] [--rate 500] [--seconds 10] [--steps 1,3]
 *     [--appendfsync everysec|always] [--profile FOLDER]
 *
 * Dispatcher and worker are processes of their own; the last step is taken by this process, which publishes as well. For the rate it
 * keeps at most `window` events on their way; for the latency it publishes `rate` events per second, and a latency counts from the
 * time at which the publish was due. Rounds alternate between the candidates; the medians are reported.
 */
import { parseArgs } from 'node:util'
import type { VumiApiEvent } from '@signalbox/contracts'
import { type Bench, startBench } from './brokers.ts'
import { cpuBetween, cpuTimes } from './cpu.ts'
import { benchEvent, indexOf, openLastStep } from './last-step.ts'
import { measureLatencies } from './open-loop.ts'
import { openRawHop } from './raw-hop.ts'
import { median, percentile, table } from './statistics.ts'

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    window: { type: 'string', default: '2000' },
    rate: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '10' },
    steps: { type: 'string', default: '1,3' },
    appendfsync: { type: 'string', default: 'everysec' },
    profile: { type: 'string' },
  },
})
const EVENTS = Number(values.events)
const ROUNDS = Number(values.rounds)
const WINDOW = Number(values.window)
const RATE = Number(values.rate)
const PACED = RATE * Number(values.seconds)

/** The index of an event that only shows whether the system is calm: so many in a row within this. */
const PROBE = -1
const CALM_PROBES = 10
const CALM_MS = 50
const CALM_TIMEOUT_MS = 20_000

const CHAIN_LENGTHS = values.steps.split(',').map(Number)

/** What is measured: something that takes an event in and tells when it is through. */
interface Way {
  name: string
  publish(event: VumiApiEvent): Promise<unknown>
  /** Has `arrived` called with the `event_data.index` of each event that is through. */
  listen(arrived: (index: number) => void): void
}

interface Sample {
  perSecond: number
  /** Microseconds of CPU for each event, by process. */
  cpu: string
  latencies: number[]
}

await using bench = await startBench({
  appendfsync: values.appendfsync === 'always' ? 'always' : 'everysec',
  profileFolder: values.profile,
})
await using raw = await openRawHop(bench.amqpUrl)
await using chains = await openChains(bench)
const ways: Way[] = [
  {
    name: 'raw hop',
    publish: (event) => raw.publish(Buffer.from(JSON.stringify(event))),
    listen(arrived) {
      raw.onMessage = (body) => arrived(indexOf(JSON.parse(body.toString()) as VumiApiEvent))
    },
  },
  ...CHAIN_LENGTHS.map(chains.ofSteps),
]

const samples = new Map<Way, Sample[]>(ways.map((way) => [way, []]))
for (let round = 0; round < ROUNDS; round++) {
  for (const way of ways) {
    const before = cpuTimes()
    const perSecond = await measureRate(way)
    const cpu = cpuBetween(before, cpuTimes())
      .map(([name, cpuMs]) => `${name} ${Math.round((cpuMs * 1_000) / EVENTS)}`)
      .join(', ')
    await untilCalm(way)
    const latencies = await measureLatencies({
      rate: RATE,
      count: PACED,
      publish: (index) => way.publish(benchEvent('raw-hop', index)),
      listen: way.listen,
    })
    samples.get(way)!.push({ perSecond, cpu, latencies })
    const [p50, p99] = [0.5, 0.99].map((share) => percentile(latencies, share).toFixed(1))
    console.error(`${way.name}: ${Math.round(perSecond)} events/s, p50 ${p50} ms, p99 ${p99} ms`)
  }
}

const [yardstick] = samples.values()
const rows = [...samples].map(([{ name }, of]) => {
  const rate = (rounds: Sample[]) => median(rounds.map(({ perSecond }) => perSecond))
  const latency = (share: number) =>
    median(of.map(({ latencies }) => percentile(latencies, share))).toFixed(1)
  const middle = of.find(({ perSecond }) => perSecond === rate(of))
  return [
    name,
    Math.round(rate(of)),
    (rate(of) / rate(yardstick!)).toFixed(2),
    of.map(({ perSecond }) => Math.round(perSecond)).join(', '),
    latency(0.5),
    latency(0.99),
    of.reduce((lost, { latencies }) => lost + PACED - latencies.length, 0),
    middle?.cpu ?? '',
  ]
})
console.log(
  table([
    [
      'candidate',
      'events/s',
      'of the raw hop',
      'rounds',
      `p50 ms at ${RATE}/s`,
      'p99 ms',
      'lost',
      'µs of CPU per event',
    ],
    ...rows,
  ]),
)

/** Sends EVENTS, at most WINDOW on their way; the rate from the first publish to the last arrival. */
async function measureRate(way: Way): Promise<number> {
  let arrivals = 0
  let wake = () => {}
  way.listen(() => {
    arrivals++
    wake()
  })
  const startedAtMs = performance.now()
  for (let sent = 0; arrivals < EVENTS; ) {
    for (; sent < EVENTS && sent - arrivals < WINDOW; sent++) {
      way.publish(benchEvent('raw-hop', sent)).catch(fail)
    }
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
  return (EVENTS * 1_000) / (performance.now() - startedAtMs)
}

/** Waits until what the measurement of the rate has left behind is done: a few events in a row are through at once. */
async function untilCalm(way: Way): Promise<void> {
  const deadlineMs = performance.now() + CALM_TIMEOUT_MS
  for (let quick = 0; quick < CALM_PROBES && performance.now() < deadlineMs; ) {
    const sentAtMs = performance.now()
    const { promise: arrival, resolve: arrived } = Promise.withResolvers<void>()
    way.listen((index) => {
      if (index === PROBE) arrived()
    })
    way.publish(benchEvent('raw-hop', PROBE)).catch(fail)
    await arrival
    quick = performance.now() - sentAtMs < CALM_MS ? quick + 1 : 0
  }
}

function fail(error: unknown): never {
  console.error(error)
  process.exit(1)
}

async function openChains(of: Bench) {
  const stack = new AsyncDisposableStack()
  const last = stack.use(await openLastStep(of))
  await of.start('dispatcher', 'services/dispatcher/src/main.ts')
  await of.start('bench-worker', 'bench/noop-worker.ts')
  for (const steps of CHAIN_LENGTHS) await last.putChain(chainId(steps), stepsOf(steps))
  return {
    ofSteps: (steps: number): Way => ({
      name: chainId(steps).replaceAll('-', ' '),
      publish: (event) => last.publish({ ...event, event_type: chainId(steps) }),
      listen: last.listen,
    }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

function chainId(steps: number): string {
  return `chain-of-${steps}`
}

function stepsOf(steps: number) {
  const noops = Array.from({ length: steps - 1 }, (_, index) => ({
    id: `s${index}`,
    handler: 'noop',
    config: { text: '${{ event.event_data.text }}' },
  }))
  return [...noops, { id: 'last', handler: 'last', config: {} }]
}
