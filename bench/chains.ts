/**
 * Events per second through chains of 1 and 3 steps on RabbitMQ and Redis, beside a raw amqplib hop in the same run.
 *
 *   node bench/chains.ts [--events 20000] [--rounds 3] [--window 2000]
 *
 * Dispatcher and worker are processes of their own; the last step is taken by this process, which publishes as well and keeps at
 * most `window` events on their way. Rounds alternate between the candidates; the medians are reported.
 */
import { parseArgs } from 'node:util'
import { createPublisher, createTopology, openAmqpBroker } from '@signalbox/broker'
import { type Chain, type HandlerInvocation, type StepResult, uuidv7 } from '@signalbox/contracts'
import { silentLog } from '@signalbox/kit'
import { openRedisStore } from '@signalbox/store'
import { type Bench, NAMESPACE, startBench } from './brokers.ts'
import { openRawHop } from './raw-hop.ts'
import { median, table } from './statistics.ts'

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    window: { type: 'string', default: '2000' },
  },
})
const EVENTS = Number(values.events)
const ROUNDS = Number(values.rounds)
const WINDOW = Number(values.window)

const ACCOUNT = 'bench'
const CHAIN_LENGTHS = [1, 3]

await using bench = await startBench()
const rates = new Map<string, number[]>()
await using raw = await openRawHop(bench.amqpUrl)
await using chains = await openChains(bench)

for (let round = 0; round < ROUNDS; round++) {
  record('raw hop', await measureRaw())
  for (const steps of CHAIN_LENGTHS) record(`chain of ${steps}`, await chains.measure(steps))
}

const yardstick = median(rates.get('raw hop')!)
const rows = [...rates].map(([name, samples]) => [
  name,
  Math.round(median(samples)),
  (median(samples) / yardstick).toFixed(2),
  samples.map(Math.round).join(', '),
])
console.log(table([['candidate', 'events/s (median)', 'of the raw hop', 'rounds'], ...rows]))

function record(name: string, rate: number): void {
  console.error(`${name}: ${Math.round(rate)} events/s`)
  rates.set(name, [...(rates.get(name) ?? []), rate])
}

async function measureRaw(): Promise<number> {
  const body = Buffer.from(JSON.stringify(anEvent(1)))
  const flow = createFlow()
  raw.onMessage = flow.arrived
  return flow.run(() => raw.publish(body))
}

/** Sends EVENTS, at most WINDOW on their way, and tells the rate from the first publish to the last arrival. */
function createFlow() {
  let arrivals = 0
  let wake = () => {}
  return {
    arrived() {
      arrivals++
      wake()
    },
    async run(publish: () => Promise<unknown>): Promise<number> {
      const startedAtMs = performance.now()
      let sent = 0
      while (arrivals < EVENTS) {
        while (sent < EVENTS && sent - arrivals < WINDOW) {
          sent++
          publish().catch(fail)
        }
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return (EVENTS * 1_000) / (performance.now() - startedAtMs)
    },
  }
}

function fail(error: unknown): never {
  console.error(error)
  process.exit(1)
}

async function openChains({ amqpUrl, redisUrl, start }: Bench) {
  const stack = new AsyncDisposableStack()
  const topology = createTopology({ namespace: NAMESPACE })
  const store = stack.use(openRedisStore({ url: redisUrl, namespace: NAMESPACE, log: silentLog }))
  const broker = stack.use(
    await openAmqpBroker({ url: amqpUrl, topology, log: silentLog, connectionName: 'bench' }),
  )
  const publisher = createPublisher(broker)
  await start('dispatcher', 'services/dispatcher/src/main.ts')
  await start('bench-worker', 'bench/noop-worker.ts')

  let arrived = () => {}
  const last = topology.handlerQueue('last')
  await broker.declare(last)
  await broker.consume(last.name, { prefetch: 1_000 }, async (delivery) => {
    const batch = JSON.parse(delivery.body.toString()) as HandlerInvocation[]
    const results = batch.map(
      ({ invocation_id, attempt, context }): StepResult => ({
        invocation_id,
        attempt,
        status: 'succeeded',
        duration_ms: 0,
        context,
      }),
    )
    await publisher.results(delivery.properties.replyTo!, results as [StepResult])
    for (const _ of batch) arrived()
    return { kind: 'ack' }
  })
  for (const steps of CHAIN_LENGTHS) {
    await store.chains.put(ACCOUNT, `chain-${steps}`, chainOf(steps))
  }

  return {
    async measure(steps: number): Promise<number> {
      const flow = createFlow()
      arrived = flow.arrived
      return flow.run(() => publisher.event(anEvent(steps)))
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

function chainOf(steps: number): Chain {
  const noops = Array.from({ length: steps - 1 }, (_, index) => ({
    id: `s${index}`,
    handler: 'noop',
    config: { text: '${{ event.event_data.text }}' },
    on_error: 'stop' as const,
  }))
  return {
    name: `${steps} steps`,
    enabled: true,
    trigger: { conversation_type: 'bench', event_type: `steps_${steps}` },
    steps: [...noops, { id: 'last', handler: 'last', config: {}, on_error: 'stop' }],
  }
}

function anEvent(steps: number) {
  return {
    event_id: uuidv7(),
    account_key: ACCOUNT,
    conversation_key: 'c1',
    conversation_type: 'bench',
    event_type: `steps_${steps}`,
    timestamp: new Date().toISOString(),
    event_data: { text: 'x'.repeat(100) },
  }
}
