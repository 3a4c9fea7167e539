/**
 * What checks work with: the place of the dispatcher, opposite to a worker.
 *
 * It is a plain AMQP client. It declares nothing that stays: its queues are exclusive, and go with its connection.
 */
import { createTopology } from '@signalbox/broker'
import type { HandlerInvocation, JsonObject } from '@signalbox/contracts'
import { UnavailableError } from '@signalbox/kit'
import { type ChannelModel, type ConfirmChannel, connect, type Options } from 'amqplib'
import { newInvocation } from './invocations.ts'
import { type Answer, consumeReplies, FILLER, type ReplyQueue } from './reply-queue.ts'
import { Violation } from './rule.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** A queue of one refuses the second message, or the third: the broker counts behind its own back. */
const MAX_FILLERS = 20

export interface BenchOptions {
  amqpUrl: string
  namespace: string
  handler: string
  /** One that the handler succeeds with. */
  config: JsonObject
  /** How long a worker may take to answer. */
  timeoutMs: number
}

export interface QueueDepth {
  /** Messages that are not in hand. */
  ready: number
  consumers: number
}

/** A reply queue that refuses every answer until it is opened. */
export interface ClosedReplies {
  readonly name: string
  open(): Promise<ReplyQueue>
}

export interface Bench extends AsyncDisposable {
  readonly options: BenchOptions
  /** The queue of the handler. */
  readonly queue: string
  /** Every answer so far, wherever it was sent. */
  readonly answers: readonly Answer[]
  invocation(overrides?: Partial<HandlerInvocation>): HandlerInvocation
  replies(): Promise<ReplyQueue>
  closedReplies(): Promise<ClosedReplies>
  /** Publishes one message to the handler, as the dispatcher does. Throws `Violation` when no queue takes it. */
  send(body: readonly HandlerInvocation[] | string | Buffer, replyTo: string): Promise<void>
  /** Undefined: there is no such queue. */
  depth(): Promise<QueueDepth | undefined>
  /** Takes messages before the worker can, and gives them back: they are then delivered to it again. */
  giveBack(count: number, publish: () => Promise<void>): Promise<void>
  /** Takes everything that is in the handler's queue, as parsed as it gets. */
  drain(): Promise<unknown[]>
}

/** Throws `UnavailableError` when the broker cannot be reached. */
export async function openBench(options: BenchOptions): Promise<Bench> {
  const { namespace, handler, config, timeoutMs } = options
  const topology = createTopology({ namespace })
  const queue = topology.handlerQueue(handler).name
  const exchange = topology.exchange.handlers
  const model = await connected(options.amqpUrl)
  const channel = await confirmChannel(model)
  const returned = new Set<unknown>()
  channel.on('return', ({ properties }) => returned.add(properties.messageId))
  const answers: Answer[] = []
  const onAnswer = (answer: Answer) => void answers.push(answer)
  let sent = 0

  async function send(
    body: readonly HandlerInvocation[] | string | Buffer,
    replyTo: string,
  ): Promise<void> {
    const messageId = `conformance-${++sent}`
    const content =
      typeof body === 'string' || Buffer.isBuffer(body)
        ? Buffer.from(body)
        : Buffer.from(JSON.stringify(body))
    const properties: Options.Publish = {
      mandatory: true,
      persistent: true,
      contentType: 'application/json',
      type: 'HandlerInvocation',
      messageId,
      replyTo,
    }
    channel.publish(exchange, handler, content, properties)
    await channel.waitForConfirms()
    if (!returned.delete(messageId)) return
    throw new Violation(`no queue is bound to ${exchange} with the routing key ${handler}`)
  }

  async function depth(): Promise<QueueDepth | undefined> {
    const own = await model.createChannel()
    own.on('error', () => undefined)
    try {
      const { messageCount, consumerCount } = await own.checkQueue(queue)
      await own.close()
      return { ready: messageCount, consumers: consumerCount }
    } catch {
      return undefined
    }
  }

  async function closedReplies(): Promise<ClosedReplies> {
    const { queue: name } = await channel.assertQueue('', {
      exclusive: true,
      arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
    })
    const filling = await confirmChannel(model)
    for (let fillers = 0; fillers < MAX_FILLERS; fillers++) {
      filling.sendToQueue(name, Buffer.from('[]'), { type: FILLER })
      const isFull = await filling.waitForConfirms().then(
        () => false,
        () => true,
      )
      if (!isFull) continue
      await filling.close()
      return { name, open: () => consumeReplies(channel, name, onAnswer) }
    }
    throw new UnavailableError('the broker does not refuse messages beyond the length of a queue')
  }

  async function giveBack(count: number, publish: () => Promise<void>): Promise<void> {
    const own = await model.createChannel()
    await own.prefetch(count)
    const taken = Promise.withResolvers<void>()
    let left = count
    const { consumerTag } = await own.consume(
      queue,
      () => {
        left -= 1
        if (left === 0) taken.resolve()
      },
      { priority: 100 },
    )
    const timer = setTimeout(
      () => taken.reject(new Violation(`${queue} did not hand out what was published to it`)),
      timeoutMs,
    )
    try {
      await publish()
      await taken.promise
    } finally {
      clearTimeout(timer)
      await own.cancel(consumerTag)
      own.nackAll(true)
      await own.close()
    }
  }

  async function drain(): Promise<unknown[]> {
    const items: unknown[] = []
    for (;;) {
      const message = await channel.get(queue, { noAck: true })
      if (!message) return items
      try {
        items.push(...(JSON.parse(message.content.toString()) as unknown[]))
      } catch {
        items.push(undefined)
      }
    }
  }

  return {
    options,
    queue,
    answers,
    invocation: (overrides) => ({ ...newInvocation({ handler, config }), ...overrides }),
    async replies() {
      const { queue: name } = await channel.assertQueue('', { exclusive: true })
      return consumeReplies(channel, name, onAnswer)
    },
    closedReplies,
    send,
    depth,
    giveBack,
    drain,
    [Symbol.asyncDispose]: () => model.close(),
  }
}

async function connected(amqpUrl: string): Promise<ChannelModel> {
  try {
    const model = await connect(amqpUrl, {
      timeout: CONNECT_TIMEOUT_MS,
      clientProperties: { connection_name: 'signalbox conformance' },
    })
    // n.b. what is under way then fails by itself; without a listener the process would end instead.
    model.on('error', () => undefined)
    return model
  } catch (cause) {
    throw new UnavailableError(`RabbitMQ cannot be reached: ${(cause as Error).message}`, {
      code: 'SB_BROKER_UNAVAILABLE',
      cause,
    })
  }
}

async function confirmChannel(model: ChannelModel): Promise<ConfirmChannel> {
  const channel = await model.createConfirmChannel()
  channel.on('error', () => undefined)
  return channel
}
