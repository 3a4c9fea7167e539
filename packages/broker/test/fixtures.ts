/** Messages, queues and handlers for tests of the broker. */
import type { Log } from '@signalbox/kit'
import type {
  DeadLetterReason,
  Delivery,
  DeliveryHandler,
  OutgoingMessage,
  Settlement,
} from '../src/port.ts'
import type { QueueSpec, Topology } from '../src/topology.ts'

export const ack: Settlement = { kind: 'ack' }
export const requeue: Settlement = { kind: 'requeue' }
export const unreadable: DeadLetterReason = {
  code: 'SB_INVALID_MESSAGE',
  message: 'event_type: is required',
  about: 'event',
}

let count = 0

export function messageTo(
  to: { exchange: string; routingKey: string },
  content: unknown = {},
): OutgoingMessage {
  count += 1
  return {
    ...to,
    body: Buffer.from(JSON.stringify(content)),
    properties: { messageId: `message-${count}`, type: 'Test' },
  }
}

/** A queue of its own, reached through the default exchange. */
export function queueOf(
  topology: Topology,
  name: string,
  options: Partial<QueueSpec> = {},
): QueueSpec {
  return {
    name: `${topology.namespace}.${name}`,
    exchanges: [],
    bindings: [],
    singleActiveConsumer: false,
    deliveryLimit: 20,
    deadLetterExchange: topology.exchange.dead,
    ...options,
  }
}

export function contentOf(delivery: Delivery): unknown {
  return JSON.parse(delivery.body.toString())
}

/** A handler that remembers what it got, in order, and answers as told. */
export function recorder(
  settle: (delivery: Delivery) => Settlement | Promise<Settlement> = () => ack,
) {
  const deliveries: Delivery[] = []
  const onDelivery: DeliveryHandler = async (delivery) => {
    deliveries.push(delivery)
    return settle(delivery)
  }
  return {
    onDelivery,
    deliveries,
    contents: () => deliveries.map(contentOf),
  }
}

/** A handler that holds every delivery until it is released. */
export function holder() {
  const held: Delivery[] = []
  const releases: ((settlement: Settlement) => void)[] = []
  const onDelivery: DeliveryHandler = (delivery) => {
    held.push(delivery)
    return new Promise((resolve) => releases.push(resolve))
  }
  return {
    onDelivery,
    held,
    contents: () => held.map(contentOf),
    /** Settles the oldest that is still held. */
    release(settlement: Settlement = ack): void {
      releases.shift()?.(settlement)
    },
    releaseAll(settlement: Settlement = ack): void {
      for (const resolve of releases.splice(0)) resolve(settlement)
    },
  }
}

/** A log that keeps the objects of each message. */
export function recordingLog(): Log & { of(message: string): object[] } {
  const lines: { object: object; message: string }[] = []
  const keep = (object: object, message: string): void => void lines.push({ object, message })
  return {
    debug: keep,
    info: keep,
    warn: keep,
    error: keep,
    of: (message) => lines.filter((line) => line.message === message).map(({ object }) => object),
  }
}
