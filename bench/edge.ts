/**
 * From publish to socket: state changes at a constant rate to many persons, beside a raw amqplib hop at the same rate in the same run.
 *
 *   node bench/edge.ts [--rate 1000] [--seconds 10] [--persons 1000] [--rounds 3]
 *
 * A latency counts from the time at which the publish was due.
 */
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { createPublisher, createTopology, openAmqpBroker } from '@signalbox/broker'
import { SOCKET_SUBPROTOCOL, uuidv7 } from '@signalbox/contracts'
import { issueToken, silentLog } from '@signalbox/kit'
import WebSocket from 'ws'
import { type Bench, NAMESPACE, startBench, TOKEN_SECRET } from './brokers.ts'
import { measureLatencies } from './open-loop.ts'
import { openRawHop } from './raw-hop.ts'
import { median, percentile, table } from './statistics.ts'

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '10' },
    persons: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
  },
})
const RATE = Number(values.rate)
const COUNT = RATE * Number(values.seconds)
const PERSONS = Number(values.persons)
const ROUNDS = Number(values.rounds)
const ACCOUNT = 'bench'

await using bench = await startBench()
await using raw = await openRawHop(bench.amqpUrl)
await using live = await openLive(bench)

const rounds = new Map<string, number[][]>()
for (let round = 0; round < ROUNDS; round++) {
  record(
    'raw hop',
    await measureLatencies({
      rate: RATE,
      count: COUNT,
      publish: (index) => raw.publish(Buffer.from(String(index))),
      listen(arrived) {
        raw.onMessage = (body) => arrived(Number(body.toString()))
      },
    }),
  )
  record(
    'publish to socket',
    await measureLatencies({
      rate: RATE,
      count: COUNT,
      publish: live.publish,
      listen: live.onFrame,
    }),
  )
}

const yardstick = rounds.get('raw hop')!
const rows = [...rounds].map(([name, samples]) => {
  const figure = (share: number) => median(samples.map((latencies) => percentile(latencies, share)))
  const ratio = (share: number) =>
    figure(share) / median(yardstick.map((latencies) => percentile(latencies, share)))
  return [
    name,
    ...[0.5, 0.99].flatMap((share) => [figure(share).toFixed(1), ratio(share).toFixed(2)]),
    samples.reduce((sum, latencies) => sum + COUNT - latencies.length, 0),
  ]
})
console.log(
  table([['candidate', 'p50 ms', 'of the raw hop', 'p99 ms', 'of the raw hop', 'lost'], ...rows]),
)
process.exit(0)

function record(name: string, latencies: number[]): void {
  console.error(
    `${name}: p50 ${percentile(latencies, 0.5).toFixed(1)} ms, p99 ${percentile(latencies, 0.99).toFixed(1)} ms, ${latencies.length} of ${COUNT}`,
  )
  rounds.set(name, [...(rounds.get(name) ?? []), latencies])
}

async function openLive({ amqpUrl, start }: Bench) {
  const stack = new AsyncDisposableStack()
  const topology = createTopology({ namespace: NAMESPACE })
  const broker = stack.use(
    await openAmqpBroker({ url: amqpUrl, topology, log: silentLog, connectionName: 'bench' }),
  )
  const publisher = createPublisher(broker)
  const edge = await start('edge', 'services/edge/src/main.ts')

  let onFrame = (_index: number) => {}
  for (let person = 0; person < PERSONS; person++) {
    const personKey = `p${person}`
    const { token } = await issueToken(TOKEN_SECRET, { accountKey: ACCOUNT, personKey }, 3_600)
    const socket = new WebSocket(
      `${edge.url.replace(/^http/, 'ws')}/v1/socket`,
      [SOCKET_SUBPROTOCOL],
      {
        headers: { authorization: `Bearer ${token}` },
        perMessageDeflate: false,
      },
    )
    stack.defer(() => socket.terminate())
    await once(socket, 'open')
    socket.send(
      JSON.stringify({
        action: 'subscribe_state_change',
        request_id: person,
        data: { person_key: personKey, entity: 'flow' },
      }),
    )
    await once(socket, 'message')
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { data: { id: string } }
      onFrame(Number(frame.data.id))
    })
  }

  return {
    onFrame(listener: (index: number) => void) {
      onFrame = listener
    },
    publish: (index: number) =>
      publisher.event({
        event_id: uuidv7(),
        account_key: ACCOUNT,
        conversation_key: 'c1',
        conversation_type: 'bench',
        event_type: 'flow_state_change',
        person_key: `p${index % PERSONS}`,
        timestamp: new Date().toISOString(),
        event_data: {
          id: String(index),
          identifier: 'bench',
          state: 'active',
          previous_state: 'paused',
        },
      }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
