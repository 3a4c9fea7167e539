import { type Broker, createMemoryBroker, createTopology } from '@signalbox/broker'
import { attemptIdOf } from '@signalbox/contracts'
import { createMetrics, createReadiness, silentLog, UnavailableError } from '@signalbox/kit'
import { createMemoryStore, type ProgressStore } from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createWorker, defineHandler, type Handler, type WorkerOptions } from '../src/index.ts'
import { anInvocation, collectOutcomes, type Outcomes, send, sendRaw } from './invocations.ts'

const echo = defineHandler({
  name: 'echo',
  description: 'Gives back its config.',
  config: z.looseObject({ fail: z.string().optional() }),
  handle: async ({ config, idempotencyKey }) => {
    if (config.fail !== undefined) throw new Error(config.fail)
    return { output: idempotencyKey }
  },
})

let broker: Broker
let outcomes: Outcomes
const teardown: AsyncDisposable[] = []

beforeEach(async () => {
  broker = createMemoryBroker({ topology: createTopology(), log: silentLog })
  teardown.push(broker)
  outcomes = await collectOutcomes(broker)
})
afterEach(async () => {
  for (const resource of teardown.splice(0).toReversed()) await resource[Symbol.asyncDispose]()
})

async function start(
  handlers: Handler[],
  options: Partial<WorkerOptions> = {},
  over: { broker?: Broker; progress?: ProgressStore } = {},
) {
  const { catalog, progress } = createMemoryStore()
  const deps = {
    broker,
    catalog,
    progress,
    ...over,
    log: silentLog,
    readiness: createReadiness(),
    metrics: createMetrics({ withProcessMetrics: false }),
  }
  const worker = await createWorker({ handlers, ...options }, deps)
  teardown.push(worker)
  return { worker, ...deps }
}

const results = (count: number) =>
  waitFor(() => outcomes.results.length >= count, { what: `${count} results` })
const deadLetters = (count: number) =>
  waitFor(() => outcomes.deadLetters.length >= count, { what: `${count} dead letters` })

/** Has the messages of a handler's queue delivered `times` times to a worker that gives them back. */
async function deliverInVain(handler: string, times: number): Promise<void> {
  const queue = broker.topology.handlerQueue(handler)
  await broker.declare(queue)
  let deliveries = 0
  const consumer = await broker.consume(queue.name, { prefetch: 1 }, async () => {
    deliveries += 1
    if (deliveries === times) void consumer.close()
    return { kind: 'requeue' }
  })
  await waitFor(() => consumer.state === 'closed', { what: 'the deliveries' })
}

describe('what comes again', () => {
  let calls: { redeliveries: number; attempt: number }[]
  const noting = defineHandler({
    name: 'noting',
    description: '',
    config: z.object({}),
    handle: ({ redeliveries, attempt }) => void calls.push({ redeliveries, attempt }),
  })
  beforeEach(async () => {
    calls = []
    await broker.declare(broker.topology.handlerQueue('noting'))
  })

  test('an invocation that was delivered in vain is run, and the deliveries are counted', async () => {
    await send(broker, anInvocation('noting'))
    await deliverInVain('noting', 2)
    await start([noting])
    await results(1)
    expect(outcomes.results).toMatchObject([{ status: 'succeeded', redeliveries: 2 }])
    expect(calls).toEqual([{ redeliveries: 2, attempt: 1 }])
  })

  test('a batch that was delivered in vain keeps the count when it is split', async () => {
    await send(broker, anInvocation('noting'), anInvocation('noting'))
    await deliverInVain('noting', 3)
    await start([noting])
    await results(2)
    expect(outcomes.results.map(({ redeliveries }) => redeliveries)).toEqual([3, 3])
  })

  test('an invocation that comes for the first time has no redeliveries to tell', async () => {
    await send(broker, anInvocation('noting'))
    await start([noting])
    await results(1)
    expect(outcomes.results[0]).not.toHaveProperty('redeliveries')
  })

  test.each(['delivered', 'sent'])(
    'what was %s before and is done is answered as it was, and not run',
    async (how) => {
      const invocation = anInvocation('noting', {}, how === 'sent' ? { repeat: true } : {})
      const { context } = invocation
      const { progress } = createMemoryStore()
      await progress.finish(
        context.event.account_key,
        context.event.event_id,
        attemptIdOf(context, 1),
        { status: 'succeeded', output: 'as before', duration_ms: 7 },
      )
      await send(broker, invocation)
      if (how === 'delivered') await deliverInVain('noting', 1)
      const { metrics } = await start([noting], {}, { progress })
      await results(1)
      expect(outcomes.results).toEqual([
        {
          invocation_id: invocation.invocation_id,
          attempt: 1,
          status: 'succeeded',
          output: 'as before',
          duration_ms: 7,
          context,
        },
      ])
      expect(calls).toEqual([])
      expect(await metrics.metrics()).toContain(
        'signalbox_invocations_repeated_total{handler="noting"} 1',
      )
    },
  )

  test('another attempt than the one that is done is run', async () => {
    const { progress } = await start([noting])
    const invocation = anInvocation('noting', {}, { attempt: 2, repeat: true })
    const { context } = invocation
    const { account_key, event_id } = context.event
    await progress.finish(account_key, event_id, attemptIdOf(context, 1), { status: 'failed' })
    await send(broker, invocation)
    await results(1)
    expect(calls).toEqual([{ redeliveries: 0, attempt: 2 }])
  })
})

describe('a worker', () => {
  test('answers each invocation of a batch with its result, context untouched', async () => {
    await start([echo])
    const [one, two] = [anInvocation('echo'), anInvocation('echo', { fail: 'no' })]
    Object.assign(one.context, { unknown: { kept: [1] } })
    await broker.publish({
      exchange: broker.topology.exchange.handlers,
      routingKey: 'echo',
      body: Buffer.from(JSON.stringify([one, two])),
      properties: { messageId: 'm', type: 'HandlerInvocation' },
    })
    await results(2)
    expect(outcomes.messages).toBe(1)
    expect(outcomes.results).toMatchObject([
      { invocation_id: one.invocation_id, status: 'succeeded', output: one.invocation_id },
      { invocation_id: two.invocation_id, status: 'failed', error: { code: 'SB_HANDLER_FAILED' } },
    ])
    expect(JSON.stringify(outcomes.results[0]?.context)).toBe(JSON.stringify(one.context))
  })

  test('keeps serving one handler while another has all the work it may have and hangs', async () => {
    const gate = Promise.withResolvers<void>()
    const hanging = defineHandler({
      name: 'hanging',
      description: 'Waits.',
      config: z.looseObject({}),
      handle: () => gate.promise,
    })
    await start([hanging, echo], { concurrency: 2 })
    for (let count = 0; count < 10; count += 1) await send(broker, anInvocation('hanging'))
    for (let count = 0; count < 10; count += 1) await send(broker, anInvocation('echo'))
    await results(10)
    expect(outcomes.results.every(({ output }) => output !== undefined)).toBe(true)
    gate.resolve()
    await results(20)
  })

  test('answers to the queue that reply_to names', async () => {
    await start([echo])
    const elsewhere = broker.topology.handlerQueue('elsewhere')
    await broker.declare(elsewhere)
    let answer = ''
    await broker.consume(elsewhere.name, {}, async ({ body }) => {
      answer = body.toString()
      return { kind: 'ack' }
    })
    await broker.publish({
      exchange: broker.topology.exchange.handlers,
      routingKey: 'echo',
      body: Buffer.from(JSON.stringify([anInvocation('echo')])),
      properties: { messageId: 'm', type: 'HandlerInvocation', replyTo: elsewhere.name },
    })
    await waitFor(() => answer !== '', { what: 'the answer' })
    expect(JSON.parse(answer)).toMatchObject([{ status: 'succeeded' }])
    expect(outcomes.results).toEqual([])
  })

  test.each([
    ['no JSON', '{', 'SB_INVALID_MESSAGE', /not JSON/],
    ['no array', '{}', 'SB_INVALID_MESSAGE', /array of 1 to 64/],
    ['an empty array', '[]', 'SB_INVALID_MESSAGE', /array of 1 to 64/],
    ['not invocations', '[{"attempt":0}]', 'SB_INVALID_MESSAGE', /invocation_id: .*attempt: /],
    [
      'for another handler',
      JSON.stringify([anInvocation('other')]),
      'SB_UNKNOWN_HANDLER',
      /"other".*"echo"/,
    ],
  ])(
    'a message that is %s is a dead letter, and the next one is served',
    async (_what, body, code, message) => {
      await start([echo])
      await sendRaw(broker, 'echo', body)
      await send(broker, anInvocation('echo'))
      await Promise.all([results(1), deadLetters(1)])
      expect(outcomes.deadLetters).toMatchObject([{ code, about: 'invocation' }])
      expect(outcomes.deadLetters[0]?.message).toMatch(message)
    },
  )

  test('a message that is nested without end stops nothing and is kept', async () => {
    await start([echo])
    const depth = 50_000
    await sendRaw(broker, 'echo', `[${'['.repeat(depth)}${']'.repeat(depth)}]`)
    await send(broker, anInvocation('echo'))
    await Promise.all([results(1), deadLetters(1)])
  })

  test('of a batch only the bad one is a dead letter', async () => {
    await start([echo])
    const good = [anInvocation('echo'), anInvocation('echo')]
    await sendRaw(broker, 'echo', JSON.stringify([good[0], { handler: 'echo' }, good[1]]))
    await Promise.all([results(2), deadLetters(1)])
    expect(new Set(outcomes.results.map((result) => result.invocation_id))).toEqual(
      new Set(good.map((invocation) => invocation.invocation_id)),
    )
    expect(outcomes.deadLetters[0]?.body).toEqual({ json: [{ handler: 'echo' }] })
  })

  test('runs as many at once as it may, and no more', async () => {
    let inside = 0
    let most = 0
    const release = Promise.withResolvers<void>()
    const slow = defineHandler({
      name: 'slow',
      description: '',
      config: z.object({}),
      async handle() {
        inside += 1
        most = Math.max(most, inside)
        await release.promise
        inside -= 1
      },
    })
    await start([slow], { concurrency: 3 })
    const [first, ...rest] = Array.from({ length: 10 }, () => anInvocation('slow'))
    await send(broker, first!, ...rest)
    await waitFor(() => inside === 3, { what: 'three at work' })
    release.resolve()
    await results(10)
    expect(most).toBe(3)
  })

  test('a result that fits no message becomes a failed result', async () => {
    const big = defineHandler({
      name: 'big',
      description: '',
      config: z.looseObject({}),
      handle: () => ({ output: 'x'.repeat(60_000) }),
    })
    await start([big])
    const invocation = anInvocation('big')
    Object.assign(invocation.context, { large: 'y'.repeat(1_000_000) })
    await sendRaw(broker, 'big', JSON.stringify([invocation]))
    await results(1)
    expect(outcomes.results).toMatchObject([{ status: 'failed', error: { code: 'SB_TOO_LARGE' } }])
  })

  test('refuses two handlers of one name', async () => {
    await expect(start([echo, echo])).rejects.toThrow('two are named "echo"')
  })

  test('says in readiness which consumer does not consume, and counts what it did', async () => {
    const { worker, readiness, metrics } = await start([echo])
    expect(readiness.report()).toEqual({ ready: true, reasons: {} })
    await send(broker, anInvocation('echo'))
    await results(1)
    expect(await metrics.metrics()).toContain(
      'signalbox_invocations_total{handler="echo",status="succeeded"} 1',
    )
    await worker.close()
    expect(readiness.report()).toEqual({
      ready: false,
      reasons: { 'consumer signalbox.handler.echo': 'is closed' },
    })
  })
})

describe('the catalog', () => {
  test('knows the worker while it runs, and the handler after it', async () => {
    const { worker, catalog } = await start([echo], { workerId: 'w1' })
    expect(await catalog.list()).toMatchObject([
      { name: 'echo', description: 'Gives back its config.', workers: [{ worker_id: 'w1' }] },
    ])
    await worker.close()
    expect(await catalog.list()).toMatchObject([{ name: 'echo', workers: [] }])
  })
})

describe('closing', () => {
  test('lets what is in hand finish, takes no more, and closes once', async () => {
    const release = Promise.withResolvers<void>()
    let calls = 0
    const slow = defineHandler({
      name: 'slow',
      description: '',
      config: z.object({}),
      async handle() {
        calls += 1
        await release.promise
      },
    })
    const { worker } = await start([slow], { concurrency: 1 })
    await send(broker, anInvocation('slow'))
    await send(broker, anInvocation('slow'))
    await waitFor(() => calls === 1, { what: 'the first call' })
    const closed = Promise.all([worker.close(), worker.close()])
    release.resolve()
    await closed
    await results(1)
    expect(calls).toBe(1)

    await start([slow])
    await results(2)
    expect(calls).toBe(2)
  })

  test('interrupts handlers that take too long, and another worker does their work', async () => {
    let isStuck = true
    let signal: AbortSignal | undefined
    const stuck = defineHandler({
      name: 'stuck',
      description: '',
      config: z.object({}),
      async handle(invocation) {
        signal = invocation.signal
        if (isStuck) await new Promise(() => undefined)
      },
    })
    const { worker } = await start([stuck], { drainTimeoutMs: 20 })
    const [first, ...rest] = [anInvocation('stuck'), anInvocation('stuck')]
    await send(broker, first!, ...rest)
    await waitFor(() => signal, { what: 'the call' })
    await worker.close()
    expect(signal?.aborted).toBe(true)
    expect(outcomes.results).toEqual([])

    isStuck = false
    await start([stuck])
    await results(2)
    // Delivered again, the batch was split.
    expect(outcomes.results.every(({ status }) => status === 'succeeded')).toBe(true)
    expect(outcomes.deadLetters).toEqual([])
  })
})

describe('a broker that loses its connection', () => {
  test('results are held until it takes them, and a redelivery joins what is in hand', async () => {
    let isAway = true
    let deliver: Parameters<Broker['consume']>[2] | undefined
    let calls = 0
    const counted = defineHandler({
      name: 'counted',
      description: '',
      config: z.object({}),
      async handle() {
        calls += 1
      },
    })
    const flaky: Broker = {
      ...broker,
      async publish(message) {
        if (isAway) throw new UnavailableError('no connection')
        return broker.publish(message)
      },
      async consume(queue, options, onDelivery) {
        deliver = onDelivery
        return broker.consume(queue, options, onDelivery)
      },
    }
    await start([counted], {}, { broker: flaky })
    const delivery = {
      body: Buffer.from(JSON.stringify([anInvocation('counted')])),
      exchange: broker.topology.exchange.handlers,
      routingKey: 'counted',
      redelivered: false,
      deliveryCount: 0,
      isVoid: false,
      properties: {},
    }
    const first = deliver!(delivery)
    await waitFor(() => calls === 1, { what: 'the call' })
    const again = deliver!({ ...delivery, redelivered: true })
    isAway = false
    expect(await Promise.all([first, again])).toEqual([{ kind: 'ack' }, { kind: 'ack' }])
    await results(1)
    expect(calls).toBe(1)
    expect(outcomes.results).toHaveLength(1)
  })
})
