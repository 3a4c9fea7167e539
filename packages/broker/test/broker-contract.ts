/** What every engine promises: the suite that runs on each of them, whole and in one file, because an engine keeps all of it or is none. */
import type { Log } from '@signalbox/kit'
import { waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Broker, Consumer } from '../src/port.ts'
import { createTopology, type QueueSpec, type Topology } from '../src/topology.ts'
import {
  ack,
  contentOf,
  holder,
  messageTo,
  queueOf,
  recorder,
  recordingLog,
  requeue,
  unreadable,
} from './fixtures.ts'

export interface Engine {
  open(topology: Topology, log: Log): Promise<Broker>
}

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

export function describeBroker(engineName: string, engine: Engine): void {
  const topology = createTopology({ namespace: 'contract' })
  const { exchange } = topology
  const log = recordingLog()
  let broker: Broker
  let queue = ''
  let queueCount = 0

  const declared = async (options: Partial<QueueSpec> = {}): Promise<string> => {
    queueCount += 1
    const spec = queueOf(topology, `test.${queueCount}`, options)
    await broker.declare(spec)
    return spec.name
  }
  const send = (queueName: string, content: unknown = {}) =>
    broker.publish(messageTo({ exchange: '', routingKey: queueName }, content))
  const sendAll = async (queueName: string, contents: readonly unknown[]): Promise<void> => {
    for (const content of contents) await send(queueName, content)
  }

  beforeAll(async () => {
    broker = await engine.open(topology, log)
  })
  beforeEach(async () => {
    queue = await declared()
  })
  afterAll(() => broker.close())

  describe(`${engineName}: publishing`, () => {
    it('delivers body, routing key and properties as they were sent', async () => {
      const got = recorder()
      await using _consumer = await broker.consume(queue, {}, got.onDelivery)
      const properties = {
        messageId: 'm-1',
        type: 'VumiApiEvent',
        timestampMs: 1_750_000_000_000,
        replyTo: 'answers',
        traceparent: TRACEPARENT,
        slot: 7,
      }
      const body = Buffer.from('{"à":1}')
      const message = { exchange: '', routingKey: queue, body, properties }
      await expect(broker.publish(message)).resolves.toBe('routed')
      await waitFor(() => got.deliveries.length === 1, { what: 'the delivery' })
      expect(got.deliveries[0]).toMatchObject({
        body,
        exchange: '',
        routingKey: queue,
        redelivered: false,
        isVoid: false,
      })
      expect(got.deliveries[0]?.properties).toEqual(properties)
    })

    it('keeps the time in whole seconds', async () => {
      const got = recorder()
      await using _consumer = await broker.consume(queue, {}, got.onDelivery)
      const message = messageTo({ exchange: '', routingKey: queue })
      message.properties.timestampMs = 1_750_000_000_999
      await broker.publish(message)
      await waitFor(() => got.deliveries.length === 1, { what: 'the delivery' })
      expect(got.deliveries[0]?.properties.timestampMs).toBe(1_750_000_000_000)
    })

    it('says which of several messages of the same id no queue took', async () => {
      const routable = messageTo({ exchange: '', routingKey: queue })
      const lost = { ...routable, routingKey: 'contract.nowhere' }
      const outcomes = await Promise.all(
        [routable, lost, routable, lost, lost, routable].map((message) => broker.publish(message)),
      )
      expect(outcomes).toEqual([
        'routed',
        'unroutable',
        'routed',
        'unroutable',
        'unroutable',
        'routed',
      ])
    })

    it('says unroutable when an exchange has no binding for the routing key', async () => {
      const message = messageTo({ exchange: exchange.handlers, routingKey: 'nobody' })
      await expect(broker.publish(message)).resolves.toBe('unroutable')
    })

    it('refuses an exchange that was never declared', async () => {
      const message = messageTo({ exchange: 'contract.unknown', routingKey: 'a' })
      await expect(broker.publish(message)).rejects.toThrow(
        'the exchange "contract.unknown" was never declared',
      )
    })

    it('matches the words of a topic with * and #', async () => {
      const routingKeys = ['poll.done.acc', 'poll.*.acc', 'poll.#', '#.acc']
      const recorders = await Promise.all(
        routingKeys.map(async (routingKey) => {
          const name = await declared({ bindings: [{ exchange: exchange.events, routingKey }] })
          const got = recorder()
          return { name, got, consumer: await broker.consume(name, {}, got.onDelivery) }
        }),
      )
      const keys = ['poll.done.acc', 'poll.open.acc', 'poll', 'quiz.done.acc', 'poll.done.other']
      for (const routingKey of keys) {
        await broker.publish(messageTo({ exchange: exchange.events, routingKey }, routingKey))
      }
      for (const { name, got, consumer } of recorders) {
        await send(name, 'end')
        await waitFor(() => got.contents().includes('end'), {
          what: 'the proof that nothing more comes',
        })
        await consumer.close()
      }
      expect(recorders.map(({ got }) => got.contents())).toEqual([
        ['poll.done.acc', 'end'],
        ['poll.done.acc', 'poll.open.acc', 'end'],
        ['poll.done.acc', 'poll.open.acc', 'poll', 'poll.done.other', 'end'],
        ['poll.done.acc', 'poll.open.acc', 'quiz.done.acc', 'end'],
      ])
    })
  })

  describe(`${engineName}: routing to the relay`, () => {
    const { relay, events } = exchange
    const change = (slot?: number, routingKey = 'poll.flow_state_change.acc') => {
      const message = messageTo({ exchange: events, routingKey }, slot ?? 'none')
      return slot === undefined
        ? message
        : { ...message, properties: { ...message.properties, slot } }
    }
    /** What a queue holds, by the end of which a proof message came that was sent last. */
    const contentsOf = async (name: string): Promise<unknown[]> => {
      const got = recorder()
      await send(name, 'end')
      await using _consumer = await broker.consume(name, {}, got.onDelivery)
      await waitFor(() => got.contents().includes('end'), { what: `what is in ${name}` })
      return got.contents().slice(0, -1)
    }
    const [p0, p1, p2] = [0, 1, 2].map((partition) => topology.relayQueue(partition).name)

    beforeAll(async () => {
      for (const partition of [1, 2]) await broker.declare(topology.relayQueue(partition))
    })

    it('takes a slot to the partition it is bound to, and all else to partition 0', async () => {
      const routes = [
        [1, 1],
        [5, 1],
        [2, 2],
      ].map(([slot, partition]) => topology.slotRoute(slot!, partition!))
      for (const route of routes) await broker.bind(route)
      await broker.bind(routes[0]!)
      for (const slot of [0, 1, 2, 3, 5, undefined, 15]) await broker.publish(change(slot))
      expect(await contentsOf(p0!)).toEqual([0, 3, 'none', 15])
      expect(await contentsOf(p1!)).toEqual([1, 5])
      expect(await contentsOf(p2!)).toEqual([2])

      for (const route of routes) await broker.unbind(route)
      await broker.unbind(routes[0]!)
      for (const slot of [1, 2, 5]) await broker.publish(change(slot))
      expect(await contentsOf(p0!)).toEqual([1, 2, 5])
      expect(await contentsOf(p1!)).toEqual([])
    })

    it('brings state changes only, until the account asks for all its events, and each once', async () => {
      const route = topology.accountRoute('acc')
      const done = (account: string) => change(undefined, `poll.poll_complete.${account}`)
      await broker.publish(done('acc'))
      expect(await contentsOf(p0!)).toEqual([])
      await broker.bind(route)
      for (const message of [done('acc'), done('other'), change(4)]) await broker.publish(message)
      expect(await contentsOf(p0!)).toEqual(['none', 4])
      await broker.unbind(route)
      for (const message of [done('acc'), change(4)]) await broker.publish(message)
      expect(await contentsOf(p0!)).toEqual([4])
    })

    it('tells where a message was published, whichever way it came', async () => {
      const got = recorder()
      await using _consumer = await broker.consume(p0!, {}, got.onDelivery)
      await broker.publish(change(3))
      await waitFor(() => got.deliveries.length === 1, { what: 'the delivery' })
      expect(got.deliveries[0]).toMatchObject({
        exchange: events,
        routingKey: 'poll.flow_state_change.acc',
        properties: { slot: 3 },
      })
    })

    it('refuses a route between what was never declared', async () => {
      const route = topology.accountRoute('acc')
      for (const wrong of [
        { ...route, exchange: 'contract.unknown' },
        { ...route, to: { exchange: 'contract.unknown' } },
        { ...route, exchange: relay, to: { queue: 'contract.unknown' } },
      ]) {
        await expect(broker.bind(wrong)).rejects.toThrow('contract.unknown" was never declared')
        await expect(broker.unbind(wrong)).rejects.toThrow('contract.unknown" was never declared')
      }
    })
  })

  describe(`${engineName}: looking at a queue`, () => {
    it('tells how many messages wait in it, and that there is none', async () => {
      expect(await broker.messagesIn('contract.nowhere')).toBeUndefined()
      expect(await broker.messagesIn(queue)).toBe(0)
      await sendAll(queue, [1, 2])
      await waitFor(async () => (await broker.messagesIn(queue)) === 2, { what: 'both messages' })
    })
  })

  describe(`${engineName}: declaring`, () => {
    it('takes the same queue again and refuses it in another shape', async () => {
      const spec = queueOf(topology, 'again')
      await Promise.all([broker.declare(spec), broker.declare({ ...spec })])
      await broker.declare(spec)
      await expect(broker.declare({ ...spec, deliveryLimit: 3 })).rejects.toMatchObject({
        code: 'SB_CONFLICT',
        message: expect.stringContaining('contract.again') as string,
      })
    })

    it('refuses to consume a queue that was never declared', async () => {
      const got = recorder()
      await expect(broker.consume('contract.never', {}, got.onDelivery)).rejects.toThrow(
        'the queue "contract.never" was never declared',
      )
    })
  })

  describe(`${engineName}: delivering`, () => {
    it('keeps the order of a queue for a single consumer', async () => {
      const numbers = Array.from({ length: 200 }, (_, index) => index)
      const got = recorder()
      await Promise.all(numbers.map((number) => send(queue, number)))
      await using _consumer = await broker.consume(queue, {}, got.onDelivery)
      await waitFor(() => got.deliveries.length === 200, { what: '200 deliveries' })
      expect(got.contents()).toEqual(numbers)
    })

    it('never delivers inside the publish that caused it', async () => {
      let isPublishing = false
      let wasInside = false
      const got = recorder(() => {
        wasInside ||= isPublishing
        return ack
      })
      await using _consumer = await broker.consume(queue, {}, got.onDelivery)
      isPublishing = true
      const publishing = send(queue)
      isPublishing = false
      await publishing
      await waitFor(() => got.deliveries.length === 1, { what: 'the delivery' })
      expect(wasInside).toBe(false)
    })

    it('shares a queue between its consumers', async () => {
      const [a, b] = [holder(), holder()]
      await using _a = await broker.consume(queue, { prefetch: 5 }, a.onDelivery)
      await using _b = await broker.consume(queue, { prefetch: 5 }, b.onDelivery)
      await sendAll(queue, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      await waitFor(() => a.held.length === 5 && b.held.length === 5, {
        what: 'five deliveries each',
      })
      expect([...a.contents(), ...b.contents()].toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      a.releaseAll()
      b.releaseAll()
    })

    it('has no more in hand than the prefetch', async () => {
      const held = holder()
      await using _consumer = await broker.consume(queue, { prefetch: 2 }, held.onDelivery)
      await sendAll(queue, [1, 2, 3, 4])
      await waitFor(() => held.held.length === 2, { what: 'two deliveries' })
      const got = recorder()
      await using _other = await broker.consume(queue, {}, got.onDelivery)
      await waitFor(() => got.deliveries.length === 2, { what: 'the rest going to somebody else' })
      expect(held.contents()).toEqual([1, 2])
      expect(got.contents()).toEqual([3, 4])
      held.releaseAll()
    })

    it('lets the next consumer of a single-active-consumer queue take over', async () => {
      const single = await declared({ singleActiveConsumer: true })
      const [first, second] = [recorder(), recorder()]
      const active = await broker.consume(single, {}, first.onDelivery)
      await using _waiting = await broker.consume(single, {}, second.onDelivery)
      await sendAll(single, [1, 2, 3])
      await waitFor(() => first.deliveries.length === 3, { what: 'three deliveries' })
      expect(second.deliveries).toEqual([])
      await active.close()
      await send(single, 4)
      await waitFor(() => second.deliveries.length === 1, { what: 'the take-over' })
      expect(first.contents()).toEqual([1, 2, 3])
      expect(second.contents()).toEqual([4])
    })
  })

  describe(`${engineName}: settling`, () => {
    it('delivers nothing again after an ack', async () => {
      const got = recorder()
      const consumer = await broker.consume(queue, {}, got.onDelivery)
      await send(queue, 'first')
      await waitFor(() => got.deliveries.length === 1, { what: 'the delivery' })
      await consumer.close()
      const later = recorder()
      await using _later = await broker.consume(queue, {}, later.onDelivery)
      await send(queue, 'end')
      await waitFor(() => later.deliveries.length > 0, { what: 'the next message' })
      expect(later.contents()).toEqual(['end'])
    })

    it('delivers again after a requeue, marked as redelivered and counted', async () => {
      const got = recorder((delivery) => (delivery.deliveryCount === 2 ? ack : requeue))
      await using _consumer = await broker.consume(queue, {}, got.onDelivery)
      await send(queue, 'again')
      await waitFor(() => got.deliveries.length === 3, { what: 'the third delivery' })
      expect(got.contents()).toEqual(['again', 'again', 'again'])
      expect(
        got.deliveries.map(({ redelivered, deliveryCount }) => ({ redelivered, deliveryCount })),
      ).toEqual([
        { redelivered: false, deliveryCount: 0 },
        { redelivered: true, deliveryCount: 1 },
        { redelivered: true, deliveryCount: 2 },
      ])
    })

    it('publishes a dead letter that says why and what', async () => {
      const dead = recorder()
      await using _dead = await broker.consume(topology.queue.dead, {}, dead.onDelivery)
      const got = recorder(() => ({ kind: 'dead_letter', reason: unreadable }))
      await using _consumer = await broker.consume(queue, {}, got.onDelivery)
      await send(queue, { fault: true })
      await waitFor(() => dead.deliveries.length === 1, { what: 'the dead letter' })
      expect(dead.deliveries[0]?.properties.type).toBe('DeadLetter')
      expect(contentOf(dead.deliveries[0]!)).toMatchObject({
        ...unreadable,
        exchange: '',
        routing_key: queue,
        body: { json: { fault: true } },
      })
      expect(got.deliveries).toHaveLength(1)
    })

    it('moves a message that comes back too often to the dead queue as it is', async () => {
      const limited = await declared({ deliveryLimit: 2 })
      const dead = recorder()
      await using _dead = await broker.consume(topology.queue.dead, {}, dead.onDelivery)
      const got = recorder(() => requeue)
      await using _consumer = await broker.consume(limited, {}, got.onDelivery)
      await send(limited, 'poison')
      await waitFor(() => dead.deliveries.length === 1, { what: 'the message in the dead queue' })
      expect(dead.deliveries[0]).toMatchObject({
        exchange: exchange.dead,
        routingKey: limited,
        death: { reason: 'delivery_limit', queue: limited, exchange: '', routingKey: limited },
      })
      expect(Math.abs(Date.now() - dead.deliveries[0]!.death!.atMs)).toBeLessThan(60_000)
      expect(dead.contents()).toEqual(['poison'])
      expect(got.deliveries).toHaveLength(3)
    })

    it('gives a message to the dead queue as it is when no dead letter can hold it', async () => {
      const dead = recorder()
      await using _dead = await broker.consume(topology.queue.dead, {}, dead.onDelivery)
      const got = recorder(() => ({ kind: 'dead_letter', reason: unreadable }))
      await using _consumer = await broker.consume(queue, {}, got.onDelivery)
      const huge = 'x'.repeat(2 * 1024 * 1024)
      await send(queue, huge)
      await waitFor(() => dead.deliveries.length === 1, { what: 'the message in the dead queue' })
      expect(dead.contents()[0] === huge).toBe(true)
    })

    it('logs a handler that rejects, and delivers again', async () => {
      const got = recorder((delivery) => {
        if (delivery.redelivered) return ack
        throw new Error('the handler broke')
      })
      await using _consumer = await broker.consume(queue, {}, got.onDelivery)
      await send(queue)
      await waitFor(() => got.deliveries.length === 2, { what: 'the second delivery' })
      expect(log.of('delivery.failed')).toEqual([
        expect.objectContaining({ queue, err: new Error('the handler broke') }),
      ])
    })
  })

  describe(`${engineName}: delaying`, () => {
    it('lets a message out on the handlers exchange after its delay, past a longer one', async () => {
      const got = recorder()
      const handlerQueue = topology.handlerQueue('delayed')
      const [short, long] = [topology.retryQueue(200), topology.retryQueue(60_000)]
      for (const spec of [handlerQueue, short, long]) await broker.declare(spec)
      await using _consumer = await broker.consume(handlerQueue.name, {}, got.onDelivery)
      const sentAtMs = Date.now()
      await broker.publish(messageTo({ exchange: long.name, routingKey: 'delayed' }, 'long'))
      await broker.publish(messageTo({ exchange: short.name, routingKey: 'delayed' }, 'short'))
      await waitFor(() => got.deliveries.length === 1, { what: 'the short delay' })
      expect(Date.now() - sentAtMs).toBeGreaterThanOrEqual(195)
      expect(got.contents()).toEqual(['short'])
      expect(got.deliveries[0]).toMatchObject({
        exchange: exchange.handlers,
        routingKey: 'delayed',
      })
    })
  })

  describe(`${engineName}: the life of a consumer`, () => {
    it('takes nothing while paused, and goes on when resumed', async () => {
      const got = recorder()
      await using consumer = await broker.consume(queue, {}, got.onDelivery)
      expect(consumer.state).toBe('consuming')
      await consumer.pause()
      await consumer.pause()
      expect(consumer.state).toBe('paused')
      await sendAll(queue, [1, 2])
      const other = recorder()
      const proof = await broker.consume(queue, {}, other.onDelivery)
      await waitFor(() => other.deliveries.length === 2, { what: 'another consumer getting all' })
      await proof.close()
      expect(got.deliveries).toEqual([])
      await consumer.resume()
      await consumer.resume()
      expect(consumer.state).toBe('consuming')
      await send(queue, 3)
      await waitFor(() => got.deliveries.length === 1, { what: 'the delivery after the pause' })
      expect(got.contents()).toEqual([3])
    })

    it('settles what it had in hand when it was paused', async () => {
      const held = holder()
      await using consumer = await broker.consume(queue, {}, held.onDelivery)
      await send(queue, 'in hand')
      await waitFor(() => held.held.length === 1, { what: 'the delivery' })
      await consumer.pause()
      held.releaseAll()
      await consumer.resume()
      await send(queue, 'next')
      await waitFor(() => held.held.length === 2, { what: 'the next delivery' })
      expect(held.contents()).toEqual(['in hand', 'next'])
      held.releaseAll()
    })

    it('waits at its close for what is in hand, and loses none of it', async () => {
      const held = holder()
      const consumer = await broker.consume(queue, { prefetch: 1 }, held.onDelivery)
      await sendAll(queue, ['in hand', 'left'])
      await waitFor(() => held.held.length === 1, { what: 'the delivery' })
      let isClosed = false
      const closing = consumer.close().then(() => {
        isClosed = true
      })
      await send(queue, 'after')
      expect(isClosed).toBe(false)
      expect(consumer.state).toBe('closed')
      held.releaseAll()
      await closing
      await consumer.close()
      const rest = recorder()
      await using _rest = await broker.consume(queue, {}, rest.onDelivery)
      await waitFor(() => rest.deliveries.length === 2, { what: 'the rest' })
      expect(rest.contents()).toEqual(['left', 'after'])
    })

    it('gives back at once, when it is released, what it had in hand, in order and before the rest', async () => {
      const single = await declared({ singleActiveConsumer: true })
      const held = holder()
      const active = await broker.consume(single, { prefetch: 3 }, held.onDelivery)
      const next = recorder()
      await using _next = await broker.consume(single, {}, next.onDelivery)
      await sendAll(single, [0, 1, 2, 3, 4])
      await waitFor(() => held.held.length === 3, { what: 'what is in hand' })
      held.release()
      await waitFor(() => held.held.length === 4, { what: 'the place of the settled one' })
      await active.release()
      await active.release()
      expect(active.state).toBe('closed')
      expect(held.held.slice(1).map(({ isVoid }) => isVoid)).toEqual([true, true, true])
      held.releaseAll()
      await waitFor(() => next.deliveries.length === 4, { what: 'the rest' })
      expect(next.contents()).toEqual([1, 2, 3, 4])
      expect(next.deliveries.map(({ redelivered }) => redelivered)).toEqual([
        true,
        true,
        true,
        false,
      ])
    })

    it('closes with its broker, after what is in hand could still publish', async () => {
      const own = createTopology({ namespace: 'closing' })
      const closing = await engine.open(own, log)
      const spec = queueOf(own, 'work')
      await closing.declare(spec)
      const outcomes: string[] = []
      const held = holder()
      const consumer: Consumer = await closing.consume(spec.name, {}, async (delivery) => {
        const settlement = await held.onDelivery(delivery)
        outcomes.push(await closing.publish(messageTo({ exchange: '', routingKey: spec.name })))
        return settlement
      })
      await closing.publish(messageTo({ exchange: '', routingKey: spec.name }))
      await waitFor(() => held.held.length === 1, { what: 'the delivery' })
      const closed = closing.close()
      held.releaseAll()
      await closed
      await closing.close()
      expect(outcomes).toEqual(['routed'])
      expect(consumer.state).toBe('closed')
      expect(closing.unavailableReason()).toBe('the broker was closed')
      const late = messageTo({ exchange: '', routingKey: spec.name })
      await expect(closing.publish(late)).rejects.toMatchObject({ code: 'SB_BROKER_UNAVAILABLE' })
    })
  })
}
