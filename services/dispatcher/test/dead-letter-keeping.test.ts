import { INSTALLATION_ACCOUNT } from '@signalbox/contracts'
import { UnavailableError } from '@signalbox/kit'
import { waitFor } from '@signalbox/testkit'
import { afterEach, expect, it } from 'vitest'
import { ACCOUNT, type Bench, startBench } from './fixtures.ts'

let bench: Bench
afterEach(() => bench[Symbol.asyncDispose]())

const listed = async (accountKey = ACCOUNT) =>
  (await bench.store.deadLetters.list(accountKey, {})).items

it('keeps the dead letter of a run, and a replay of it may end well', async () => {
  bench = await startBench()
  let isGatewayDown = true
  await bench.offer('send_sms', () =>
    isGatewayDown
      ? {
          status: 'failed',
          error: { code: 'GATEWAY', message: 'it said 500', retryable: false },
        }
      : {},
  )
  await bench.putChain('sms', { steps: [{ id: 'a', handler: 'send_sms' }] })
  const event = await bench.publish()
  await bench.biography(event.event_id, 'dead_lettered')
  const [letter] = await waitFor(async () => (await listed()).length === 1 && listed(), {
    what: 'the dead letter',
  })
  expect(letter).toMatchObject({ code: 'GATEWAY', state: 'open', event_id: event.event_id })

  isGatewayDown = false
  const [failed] = bench.invocations
  const context = { ...failed!.context, replay_of: letter!.dead_letter_id }
  await bench.publisher.invocations([{ ...failed!, context, repeat: true }])
  const biography = await bench.biography(event.event_id, 'succeeded')
  expect(biography?.runs[0]?.steps).toMatchObject([
    { status: 'failed' },
    { status: 'succeeded', replay_of: letter!.dead_letter_id },
  ])
})

it('keeps what the broker gave up on, and ends its run', async () => {
  bench = await startBench()
  const queue = bench.broker.topology.handlerQueue('crashes')
  await bench.broker.declare(queue)
  await bench.broker.consume(queue.name, {}, async () => ({ kind: 'requeue' }))
  await bench.putChain('doomed', { steps: [{ id: 'a', handler: 'crashes' }] })
  const event = await bench.publish()
  expect(await bench.biography(event.event_id, 'dead_lettered')).toMatchObject({
    runs: [{ status: 'dead_lettered', error: { code: 'SB_DELIVERY_LIMIT' } }],
  })
  expect(await listed()).toMatchObject([
    {
      code: 'SB_DELIVERY_LIMIT',
      about: 'invocation',
      event_id: event.event_id,
      chain_id: 'doomed',
      step_id: 'a',
      handler: 'crashes',
      event_type: 'poll_complete',
    },
  ])
})

it('keeps what nobody can read for the installation', async () => {
  bench = await startBench()
  await bench.broker.publish({
    exchange: bench.broker.topology.exchange.events,
    routingKey: 'poll.done.acme',
    body: Buffer.from('{'),
    properties: { messageId: 'm', type: 'VumiApiEvent' },
  })
  await waitFor(async () => (await listed(INSTALLATION_ACCOUNT)).length === 1, {
    what: 'the dead letter',
  })
  expect(await listed(INSTALLATION_ACCOUNT)).toMatchObject([
    { code: 'SB_INVALID_MESSAGE', about: 'event' },
  ])
})

it('holds dead letters while the store is away, and says so', async () => {
  let isAway = true
  bench = await startBench(
    () => ({}),
    (deadLetters) => ({
      keep: async (letter) => {
        if (isAway) throw new UnavailableError('Redis is away', { code: 'SB_STORE_UNAVAILABLE' })
        return deadLetters.keep(letter)
      },
    }),
  )
  await bench.putChain('nobody', { steps: [{ id: 'a', handler: 'nobody' }] })
  const event = await bench.publish()
  await bench.biography(event.event_id, 'dead_lettered')
  await waitFor(() => !bench.readiness.report().ready, { what: 'readiness to say so' })
  expect(await listed()).toEqual([])
  isAway = false
  await waitFor(async () => (await listed()).length === 1, { what: 'the dead letter' })
})
