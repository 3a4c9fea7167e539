/**
 * docs/asyncapi.json: what crosses RabbitMQ, from the contracts and the topology. Channels are exchanges (where one publishes) and
 * queues (where one consumes); operations say which process does which.
 * Source: https://www.asyncapi.com/docs/reference/specification/v3.0.0
 */
import { z } from 'zod'
import {
  createTopology,
  type QueueSpec,
  RELAY_SLOTS,
  SLOT_HEADER,
} from '../../packages/broker/src/index.ts'
import {
  commandSchema,
  deadLetterSchema,
  eventSchema,
  invocationBatchSchema,
  stepResultBatchSchema,
} from '../../packages/contracts/src/index.ts'

const topology = createTopology()

/** By the `type` property that a message of the kind carries. */
const MESSAGES = {
  VumiApiEvent: { schema: eventSchema, summary: 'A fact that others may care about.' },
  VumiApiCommand: { schema: commandSchema, summary: 'An instruction to one worker.' },
  HandlerInvocation: {
    schema: invocationBatchSchema,
    summary: 'One or more invocations of one handler.',
  },
  StepResult: { schema: stepResultBatchSchema, summary: 'One or more results.' },
  DeadLetter: {
    schema: deadLetterSchema,
    summary: 'A message that could not be completed, with the reason.',
  },
} as const
type MessageName = keyof typeof MESSAGES

interface Channel {
  address: string
  message: MessageName
  description: string
  binding: object
}

const CHANNELS: Readonly<Record<string, Channel>> = {
  events: exchange('events', '{conversation_type}.{event_type}.{account_key}', 'VumiApiEvent'),
  handlers: exchange('handlers', '{handler}', 'HandlerInvocation'),
  results: exchange('results', 'results', 'StepResult'),
  commands: exchange('commands', '{worker}', 'VumiApiCommand'),
  dead: exchange('dead', '{routing_key}', 'DeadLetter'),
  dispatcherEvents: queue(fixed(topology.queue.dispatcherEvents), 'VumiApiEvent'),
  dispatcherResults: queue(fixed(topology.queue.dispatcherResults), 'StepResult'),
  edgeRelay: queue(fixed(topology.queue.edgeRelay), 'VumiApiEvent'),
  edgeRelayPartition: queue(
    {
      ...topology.relayQueue(1),
      name: `${topology.queue.edgeRelay}.{partition}`,
      bindings: [{ exchange: topology.exchange.relay, routingKey: SLOT_HEADER }],
    },
    'VumiApiEvent',
  ),
  deadQueue: queue(fixed(topology.queue.dead), 'DeadLetter'),
  handlerQueue: queue(topology.handlerQueue('{handler}'), 'HandlerInvocation'),
  workerQueue: queue(topology.workerQueue('{worker}'), 'VumiApiCommand'),
}

const PARAMETERS: Readonly<Record<string, string>> = {
  conversation_type: 'The type of the conversation or flow.',
  event_type: 'What kind of fact it is.',
  account_key: 'The account.',
  handler: 'The name of the handler.',
  partition:
    'A partition of the relay, 1 to 15; what has no slot of theirs is in the queue without a number.',
  worker: 'The name of the worker.',
  routing_key: 'That of the message that it is about.',
}

type Operation = readonly [action: 'send' | 'receive', channel: string, summary: string]

const OPERATIONS: Readonly<Record<string, Operation>> = {
  sourcePublishesEvent: ['send', 'events', 'A source, or the api for it, announces a fact.'],
  dispatcherReceivesEvent: ['receive', 'dispatcherEvents', 'The dispatcher matches it to chains.'],
  dispatcherInvokesHandler: ['send', 'handlers', 'The dispatcher asks for a step.'],
  workerReceivesInvocation: ['receive', 'handlerQueue', 'A worker does the work.'],
  workerReturnsResult: [
    'send',
    'dispatcherResults',
    'A worker answers, through the default exchange, to the queue that `reply_to` names.',
  ],
  workerPublishesResult: ['send', 'results', 'For who cannot use the default exchange.'],
  dispatcherReceivesResult: ['receive', 'dispatcherResults', 'The dispatcher goes on.'],
  dispatcherPublishesFiredEvent: ['send', 'events', 'An event that a handler returned.'],
  dispatcherSendsCommand: ['send', 'commands', 'A command that a handler returned.'],
  sourceSendsCommand: ['send', 'commands', 'A source instructs a worker.'],
  workerReceivesCommand: ['receive', 'workerQueue', 'The worker of that name carries it out.'],
  edgeReceivesEvent: ['receive', 'edgeRelay', 'One edge relay at a time shows what happened.'],
  edgeReceivesEventOfPartition: [
    'receive',
    'edgeRelayPartition',
    'One edge relay at a time for each partition.',
  ],
  consumerPublishesDeadLetter: ['send', 'dead', 'Any consumer, for what it cannot complete.'],
  operatorReceivesDeadLetter: ['receive', 'deadQueue', 'Whoever keeps and shows them.'],
}

export function asyncApiDocument(): object {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Signalbox on RabbitMQ',
      version: '1.0.0',
      description:
        'Messages, exchanges and queues. Names begin with the namespace, `signalbox` by default. See topology.md.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    channels: mapValues(CHANNELS, channelObject),
    operations: mapValues(OPERATIONS, ([action, channel, summary]) => ({
      action,
      summary,
      channel: { $ref: `#/channels/${channel}` },
      messages: [{ $ref: `#/channels/${channel}/messages/${CHANNELS[channel]!.message}` }],
      bindings: {
        amqp:
          action === 'send'
            ? { deliveryMode: 2, timestamp: true, bindingVersion: '0.3.0' }
            : { ack: true, bindingVersion: '0.3.0' },
      },
    })),
    components: { messages: mapValues(MESSAGES, messageObject), schemas: componentSchemas() },
  }
}

function channelObject({ address, message, description, binding }: Channel): object {
  const parameters = [...address.matchAll(/\{(\w+)\}/g)].map(
    ([, name]) => [name!, { description: PARAMETERS[name!]! }] as const,
  )
  return {
    address,
    description,
    messages: { [message]: { $ref: `#/components/messages/${message}` } },
    ...(parameters.length > 0 ? { parameters: Object.fromEntries(parameters) } : {}),
    bindings: { amqp: { ...binding, bindingVersion: '0.3.0' } },
  }
}

function messageObject({ summary, schema }: { summary: string; schema: z.ZodType }, name: string) {
  return {
    name,
    summary,
    contentType: 'application/json',
    headers: {
      type: 'object',
      properties: {
        traceparent: { type: 'string', description: 'W3C trace context.' },
        ...(name === 'VumiApiEvent' ? { [SLOT_HEADER]: slotHeader() } : {}),
      },
    },
    payload: { $ref: `#/components/schemas/${idOf(schema)}` },
    bindings: { amqp: { messageType: name, bindingVersion: '0.3.0' } },
  }
}

function slotHeader(): object {
  return {
    type: 'string',
    pattern: '^([0-9]|1[0-5])$',
    description: `crc32("<account_key>/<person_key>") mod ${RELAY_SLOTS}, or crc32("<account_key>//<conversation_key>") of what is about nobody: a publisher's events of one slot are relayed in their order. Absent: partition 0 relays it.`,
  }
}

/** The named schemas that the messages are made of, as what sends them has to send them. */
function componentSchemas(): object {
  const found: Record<string, unknown> = {}
  for (const { schema } of Object.values(MESSAGES)) {
    const { $defs } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
    Object.assign(found, $defs)
  }
  const text = JSON.stringify(Object.fromEntries(Object.entries(found).toSorted()))
  return JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/')) as object
}

function idOf(schema: z.ZodType): string {
  const id = schema.meta()?.id
  if (id === undefined) throw new Error('a message schema has no id')
  return id
}

function exchange(
  key: keyof typeof topology.exchange,
  routingKey: string,
  message: MessageName,
): Channel {
  const name = topology.exchange[key]
  const type = topology.exchanges.find((spec) => spec.name === name)!.type
  return {
    address: routingKey,
    message,
    description: `The ${type} exchange \`${name}\`; the address is the routing key.`,
    binding: {
      is: 'routingKey',
      exchange: { name, type, durable: true, autoDelete: false, vhost: '/' },
    },
  }
}

function queue({ name, bindings, singleActiveConsumer }: QueueSpec, message: MessageName): Channel {
  const sources = bindings.map(({ exchange: from, routingKey }) =>
    routingKey === '' ? `\`${from}\`` : `\`${from}\` by \`${routingKey}\``,
  )
  const consumers = singleActiveConsumer ? ', one active consumer' : ''
  return {
    address: name,
    message,
    description: `A quorum queue bound to ${sources.join(' and ')}${consumers}.`,
    binding: {
      is: 'queue',
      queue: { name, durable: true, exclusive: false, autoDelete: false, vhost: '/' },
    },
  }
}

function fixed(name: string): QueueSpec {
  return topology.queues.find((spec) => spec.name === name)!
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  convert: (value: From, key: string) => To,
): Record<string, To> {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [key, convert(value, key)]),
  )
}
