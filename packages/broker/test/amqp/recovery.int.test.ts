import { leaseRabbitMq, type RabbitMqLease, waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTopology } from '../../src/topology.ts'
import { ack, holder, messageTo, queueOf, recorder, recordingLog } from '../fixtures.ts'
import { type Harm, harmTo, isUp, opened, topology } from './fixtures.ts'

let lease: RabbitMqLease
let harm: Harm

beforeAll(async () => {
  lease = await leaseRabbitMq()
  harm = harmTo(lease.managementUrl, {
    vhost: lease.vhost,
    user: new URL(lease.amqpUrl).username,
  })
})
afterAll(() => lease.release())

describe('a message that the broker refuses', () => {
  it('is sent again on other channels until it is taken, and holds up no other', async () => {
    const log = recordingLog()
    await using broker = await opened(lease.amqpUrl, { log })
    const [full, other] = [queueOf(topology, 'full'), queueOf(topology, 'beside-the-full')]
    await broker.declare(full)
    await broker.declare(other)
    const send = (queue: string, content: number) =>
      broker.publish(messageTo({ exchange: '', routingKey: queue }, content))
    await harm.limitQueue(full.name, 1)
    const all: Promise<unknown>[] = []
    const isRefused = () => log.of('channel.replaced').length === 1
    const sendOne = () => all.push(send(full.name, all.length).catch((error: Error) => error))
    await waitFor(() => isRefused() || !sendOne(), { what: 'a refusal' })
    for (let number = 0; number < 100; number += 1) {
      expect(await send(other.name, number)).toBe('routed')
    }

    const got = recorder()
    await using _consumer = await broker.consume(full.name, {}, got.onDelivery)
    expect(new Set(await Promise.all(all))).toEqual(new Set(['routed']))
    await waitFor(() => got.deliveries.length === all.length, { what: 'every message' })
    expect(new Set(got.contents()).size).toBe(all.length)
    expect(broker.unavailableReason()).toBeUndefined()
  })
})

describe('a lost connection', () => {
  it('leaves alone what was delivered when it was the one for publishing', async () => {
    const connectionName = 'only-publishing'
    await using broker = await opened(lease.amqpUrl, { connectionName })
    const spec = queueOf(topology, 'apart')
    await broker.declare(spec)
    const held = holder()
    await using consumer = await broker.consume(spec.name, {}, held.onDelivery)
    const send = (text: string) =>
      broker.publish(messageTo({ exchange: '', routingKey: spec.name }, text))
    await send('held')
    await waitFor(() => held.held.length === 1, { what: 'the delivery' })
    await harm.closeConnection(connectionName)
    await waitFor(() => broker.unavailableReason() !== undefined, { what: 'the loss' })
    expect(consumer.state).toBe('consuming')
    held.releaseAll()
    await isUp(broker)
    await send('next')
    await waitFor(() => held.held.length === 2, { what: 'the next delivery' })
    expect(held.contents()).toEqual(['held', 'next'])
    held.releaseAll()
  })

  it('loses no message of a publisher that publishes again what was not confirmed', async () => {
    const log = recordingLog()
    await using broker = await opened(lease.amqpUrl, { log })
    const spec = queueOf(topology, 'load')
    await broker.declare(spec)
    const numbers = new Set<number>()
    const consumer = await broker.consume(spec.name, { prefetch: 100 }, async ({ body }) => {
      numbers.add(Number(body.toString()))
      return ack
    })
    let refusals = 0
    let count = 0
    let isEnough = false
    const publishOnAndOn = async (): Promise<void> => {
      while (!isEnough) {
        const message = messageTo({ exchange: '', routingKey: spec.name }, count)
        count += 1
        while ((await broker.publish(message).catch(() => 'refused')) === 'refused') refusals += 1
      }
    }

    const publishers = Array.from({ length: 50 }, publishOnAndOn)
    await waitFor(() => numbers.size > 200, { what: 'the load to flow' })
    await harm.closeConnections()
    await waitFor(() => log.of('connection.restored').length === 2, { what: 'both connections' })
    isEnough = true
    await Promise.all(publishers)
    await waitFor(() => numbers.size === count, { what: 'every message' })
    expect(refusals).toBeGreaterThan(0)
    expect(consumer.state).toBe('consuming')
    expect(log.of('connection.lost')).toHaveLength(2)
  })

  it('makes what was in hand void, and it is delivered again', async () => {
    await using broker = await opened(lease.amqpUrl)
    const spec = queueOf(topology, 'void')
    await broker.declare(spec)
    const held = holder()
    await using consumer = await broker.consume(spec.name, {}, held.onDelivery)
    await broker.publish(messageTo({ exchange: '', routingKey: spec.name }, 'once'))
    await waitFor(() => held.held.length === 1, { what: 'the delivery' })
    expect(held.held[0]?.isVoid).toBe(false)
    await harm.closeConnections()
    await waitFor(() => held.held.length === 2, { what: 'the delivery again' })
    expect(held.held.map(({ isVoid, redelivered }) => ({ isVoid, redelivered }))).toEqual([
      { isVoid: true, redelivered: false },
      { isVoid: false, redelivered: true },
    ])
    held.releaseAll()
    await broker.publish(messageTo({ exchange: '', routingKey: spec.name }, 'end'))
    await waitFor(() => held.held.length === 3, { what: 'the next message' })
    expect(held.contents()).toEqual(['once', 'once', 'end'])
    expect(consumer.state).toBe('consuming')
    held.releaseAll()
  })

  it('leaves a paused consumer paused, until it is resumed', async () => {
    await using broker = await opened(lease.amqpUrl)
    const spec = queueOf(topology, 'paused')
    await broker.declare(spec)
    const got = recorder()
    await using consumer = await broker.consume(spec.name, {}, got.onDelivery)
    await consumer.pause()
    await harm.closeConnections()
    await waitFor(() => broker.unavailableReason() !== undefined, { what: 'the loss' })
    await isUp(broker)
    await broker.publish(messageTo({ exchange: '', routingKey: spec.name }, 1))
    const other = recorder()
    const proof = await broker.consume(spec.name, {}, other.onDelivery)
    await waitFor(() => other.deliveries.length === 1, { what: 'another consumer getting it' })
    await proof.close()
    expect(got.deliveries).toEqual([])
    expect(consumer.state).toBe('paused')
    await consumer.resume()
    await broker.publish(messageTo({ exchange: '', routingKey: spec.name }, 2))
    await waitFor(() => got.deliveries.length === 1, { what: 'the delivery after the pause' })
    expect(got.contents()).toEqual([2])
  })
})

describe('a topology that is damaged', () => {
  it('has a deleted queue declared and consumed again', async () => {
    await using broker = await opened(lease.amqpUrl)
    const handlerQueue = topology.handlerQueue('deleted')
    await broker.declare(handlerQueue)
    const got = recorder()
    await using consumer = await broker.consume(handlerQueue.name, {}, got.onDelivery)
    await harm.deleteQueue(handlerQueue.name)
    const to = { exchange: topology.exchange.handlers, routingKey: 'deleted' }
    await waitFor(async () => (await broker.publish(messageTo(to, 'back'))) === 'routed', {
      what: 'the queue to be bound again',
    })
    await waitFor(() => got.deliveries.length === 1, { what: 'the delivery' })
    expect(got.contents()).toEqual(['back'])
    expect(consumer.state).toBe('consuming')
  })

  it('has a deleted exchange declared and bound again after the publish that missed it', async () => {
    await using broker = await opened(lease.amqpUrl)
    await isUp(broker)
    const got = recorder()
    await using _consumer = await broker.consume(
      topology.queue.dispatcherEvents,
      {},
      got.onDelivery,
    )
    await harm.deleteExchange(topology.exchange.events)
    const to = { exchange: topology.exchange.events, routingKey: 'a.b.c' }
    await expect(broker.publish(messageTo(to))).rejects.toMatchObject({
      code: 'SB_BROKER_UNAVAILABLE',
      retryable: true,
    })
    await expect(broker.publish(messageTo(to, 'back'))).resolves.toBe('routed')
    await waitFor(() => got.deliveries.length === 1, { what: 'the event' })
    expect(got.contents()).toEqual(['back'])
  })

  it('has the bindings of a deleted exchange back, though nobody published to it', async () => {
    await using worker = await opened(lease.amqpUrl)
    await using source = await opened(lease.amqpUrl)
    const queue = topology.handlerQueue('unbound')
    await worker.declare(queue)
    const got = recorder()
    await using _consumer = await worker.consume(queue.name, {}, got.onDelivery)
    const abandoned = queueOf(topology, 'abandoned')
    await worker.declare(abandoned)
    await isUp(source)
    await harm.deleteQueue(abandoned.name)
    await harm.deleteExchange(topology.exchange.handlers)
    const to = { exchange: topology.exchange.handlers, routingKey: 'unbound' }
    const isBack = () =>
      source.publish(messageTo(to, 'back')).then(
        (outcome) => outcome === 'routed',
        () => false,
      )
    await waitFor(isBack, { what: 'the binding', timeoutMs: 5_000 })
    await waitFor(() => got.deliveries.length === 1, { what: 'the delivery' })
    expect(got.contents()).toEqual(['back'])

    // What nobody here consumes may have been deleted for good, until somebody asks for it again.
    const toAbandoned = messageTo({ exchange: '', routingKey: abandoned.name })
    expect(await source.publish(toAbandoned)).toBe('unroutable')
    const isWanted = async () => {
      await worker.declare(abandoned)
      return (await source.publish(toAbandoned)) === 'routed'
    }
    await waitFor(isWanted, { what: 'the queue that is wanted again', timeoutMs: 5_000 })
  })

  it('has a route that was bound at run time back: with a new connection, and after its exchange was deleted', async () => {
    await using broker = await opened(lease.amqpUrl)
    await isUp(broker)
    const partition = topology.relayQueue(1)
    await broker.declare(partition)
    const [slotRoute, accountRoute] = [topology.slotRoute(9, 1), topology.accountRoute('acme')]
    await broker.bind(slotRoute)
    await broker.bind(accountRoute)
    const got = recorder()
    await using _consumer = await broker.consume(partition.name, {}, got.onDelivery)
    const send = async (text: string): Promise<void> => {
      const to = { exchange: topology.exchange.events, routingKey: 'poll.done.acme' }
      const message = messageTo(to, text)
      await broker.publish({ ...message, properties: { ...message.properties, slot: 9 } })
    }
    const comes = (text: string) =>
      waitFor(() => got.contents().includes(text), { what: text, timeoutMs: 2_000 })
    await send('bound')
    await comes('bound')

    await harm.closeConnections()
    await waitFor(() => broker.unavailableReason() !== undefined, { what: 'the loss' })
    await expect(broker.bind(topology.slotRoute(10, 1))).rejects.toMatchObject({
      code: 'SB_BROKER_UNAVAILABLE',
      retryable: true,
    })
    await expect(broker.messagesIn(partition.name)).rejects.toMatchObject({ retryable: true })
    await isUp(broker)
    await harm.deleteExchange(topology.exchange.relay)
    const isBack = async () => {
      await send('back')
      return got.contents().includes('back')
    }
    await waitFor(isBack, { what: 'both routes', timeoutMs: 6_000 })

    broker.letGo(accountRoute)
    await harm.deleteExchange(topology.exchange.relay)
    const slotIsBack = async () => {
      const to = { exchange: topology.exchange.events, routingKey: 'poll.flow_state_change.x' }
      const message = messageTo(to, 'slot')
      await broker.publish({ ...message, properties: { ...message.properties, slot: 9 } })
      return got.contents().includes('slot')
    }
    await waitFor(slotIsBack, { what: 'the route that is kept', timeoutMs: 6_000 })
    await send('not asked for')
    await slotIsBack()
    const before = got.contents().filter((content) => content === 'slot').length
    await slotIsBack()
    await waitFor(() => got.contents().filter((content) => content === 'slot').length > before, {
      what: 'the proof that nothing else comes',
    })
    expect(got.contents()).not.toContain('not asked for')
  })

  it('is rid of what earlier versions bound the relay to', async () => {
    const own = createTopology({ namespace: 'former' })
    const [relayQueue] = [own.relayQueue(0)]
    await using old = await opened(lease.amqpUrl, { topology: own })
    await isUp(old)
    for (const binding of relayQueue.formerBindings!) {
      await old.bind({ ...binding, to: { queue: relayQueue.name } })
      old.letGo({ ...binding, to: { queue: relayQueue.name } })
    }
    await using broker = await opened(lease.amqpUrl, { topology: own })
    await isUp(broker)
    const partition = own.relayQueue(1)
    await broker.declare(partition)
    await broker.bind(own.slotRoute(2, 1))
    const got = recorder()
    await using _consumer = await broker.consume(partition.name, {}, got.onDelivery)
    const to = { exchange: own.exchange.events, routingKey: 'poll.flow_state_change.acme' }
    const message = messageTo(to, 'once')
    await broker.publish({ ...message, properties: { ...message.properties, slot: 2 } })
    await waitFor(() => got.deliveries.length === 1, { what: 'the change in its partition' })
    expect(await broker.messagesIn(relayQueue.name)).toBe(0)
  })

  it('says which queue stands in the way, and works once it is gone', async () => {
    const own = createTopology({ namespace: 'foreign' })
    await harm.declareForeignQueue(own.queue.dispatcherEvents)
    const log = recordingLog()
    await using broker = await opened(lease.amqpUrl, { topology: own, log })
    const reason = await waitFor(
      () => {
        const text = broker.unavailableReason()
        return text?.includes('PRECONDITION') && text
      },
      { what: 'the refusal' },
    )
    expect(reason).toContain(own.queue.dispatcherEvents)
    await harm.deleteQueue(own.queue.dispatcherEvents)
    await isUp(broker)
    expect(log.of('connection.failed')).toHaveLength(1)
  })

  it('works on when an added queue is refused, and declares it once it can', async () => {
    const spec = queueOf(topology, 'refused')
    await harm.declareForeignQueue(spec.name)
    const log = recordingLog()
    await using broker = await opened(lease.amqpUrl, { log })
    const declaring = broker.declare(spec)
    await waitFor(() => broker.unavailableReason()?.includes(spec.name), { what: 'the refusal' })
    const working = queueOf(topology, 'working')
    await broker.declare(working)
    const message = messageTo({ exchange: '', routingKey: working.name })
    await expect(broker.publish(message)).resolves.toBe('routed')
    await harm.closeConnections()
    await waitFor(() => broker.unavailableReason()?.includes(spec.name), { what: 'the refusal' })
    await harm.deleteQueue(spec.name)
    await declaring
    await isUp(broker)
    expect(log.of('queue.refused')).toHaveLength(1)
  })
})
