import type { Socket } from 'node:net'
import { waitFor } from '@signalbox/testkit'
import { expect, test } from 'vitest'
import { type Frame, frame } from '../../src/foreign/frames.ts'
import { type ForeignMessage, openForeignBroker } from '../../src/foreign/index.ts'
import { type Answers, type FakeBroker, listenAs, SOUND, said } from './fake-broker.ts'

const OPTIONS = {
  name: 'test',
  vhost: '/',
  username: 'u',
  password: 'p',
  connectTimeoutMs: 300,
}
const TIMEOUT_MS = 500

const message = (more: Partial<ForeignMessage> = {}): ForeignMessage => ({
  exchange: 'x',
  routingKey: 'k',
  messageId: 'm1',
  contentType: 'application/json',
  timestampMs: 0,
  headers: {},
  body: Buffer.from('{}'),
  ...more,
})

/** Publishes one message to a broker of these answers, and sees that no connection is left when a fault ended it. */
async function publishTo(answers: Answers) {
  await using server = await listenAs(answers)
  const broker = openForeignBroker(OPTIONS, server)
  const outcome = await broker.publish(message(), TIMEOUT_MS)
  await broker.close()
  await closed(server)
  return outcome
}

const closed = (server: FakeBroker) =>
  waitFor(() => server.open() === 0, { what: 'the connection to be closed', timeoutMs: 2_000 })

/** Answers a publish when its method comes, with bytes for its channel. */
const onPublish = (bytes: (channel: number) => Buffer[]): Answers => ({
  ...SOUND,
  '60.40': (socket: Socket, { channel }: Frame) => {
    for (const part of bytes(channel)) socket.write(part)
  },
})

test.each<[string, (channel: number) => Buffer[], object]>([
  ['confirms', (on) => [said.ack(on, 1)], { kind: 'routed', address: '127.0.0.1' }],
  ['confirms up to it', (on) => [said.ack(on, 1, 1)], { kind: 'routed' }],
  ['confirms all', (on) => [said.ack(on, 0, 1)], { kind: 'routed' }],
  ['does not take it', (on) => [said.nack(on, 1)], { kind: 'nacked' }],
  [
    'returns it',
    (on) => [said.returned(on), said.header(on, 2, 'm1'), said.body(on, 2), said.ack(on, 1)],
    { kind: 'unroutable' },
  ],
  [
    'returns another',
    (on) => [said.returned(on), said.header(on, 0, 'm2'), said.ack(on, 1)],
    { kind: 'routed' },
  ],
  [
    'closes the channel',
    (on) => [said.channelClose(on, 404, 'NOT_FOUND')],
    { kind: 'rejected', replyCode: 404, replyText: 'NOT_FOUND' },
  ],
  [
    'closes the connection',
    () => [said.close(541, 'INTERNAL')],
    { kind: 'rejected', replyCode: 541 },
  ],
  ['says nothing', () => [], { kind: 'timed_out', phase: 'response' }],
])('a broker that %s', async (_what, bytes, expected) => {
  expect(await publishTo(onPublish(bytes))).toMatchObject(expected)
})

const failed = { kind: 'failed' }
const late = { kind: 'timed_out', phase: 'connect' }
const drip = (bytes: Buffer, everyMs: number) => (socket: Socket) => {
  const timer = setInterval(() => socket.write(bytes), everyMs)
  socket.on('close', () => clearInterval(timer))
}
const opening = (bytes: Buffer): Answers => ({
  ...SOUND,
  '10.40': (socket) => void socket.write(Buffer.concat([said.openOk(), bytes])),
})

test.each<[string, Answers, object]>([
  ['says nothing at all', {}, late],
  [
    'speaks HTTP',
    { header: (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') },
    failed,
  ],
  ['wants another version', { header: (socket) => void socket.end('AMQP\0\0\x09\x00') }, failed],
  ['closes at once', { header: (socket) => void socket.end() }, failed],
  ['resets at once', { header: (socket) => void socket.resetAndDestroy() }, failed],
  ['drips bytes of one frame', { header: drip(Buffer.from([1]), 5) }, failed],
  ['beats for ever and does not open', { header: drip(frame(8, 0), 5) }, late],
  ['takes no password', { header: (socket) => void socket.write(said.start('EXTERNAL')) }, failed],
  [
    'does not know the user',
    { ...SOUND, '10.11': (socket) => void socket.write(said.close(403, 'ACCESS_REFUSED')) },
    { kind: 'rejected', replyCode: 403 },
  ],
  [
    'has frames too short',
    { ...SOUND, '10.11': (socket) => void socket.write(said.tune(8)) },
    failed,
  ],
  [
    'announces a frame of 4 GiB',
    { header: (socket) => void socket.write(Buffer.from([1, 0, 0, 255, 255, 255, 255])) },
    failed,
  ],
  ['closes in the packet that opens', opening(said.close(541, 'boo')), { kind: 'rejected' }],
  ['sends no frames after it opened', opening(Buffer.alloc(64, 'z')), failed],
  ['sends a frame on a channel nobody opened', opening(said.body(7, 1)), failed],
  ['sends a method that is cut off', opening(frame(1, 0, Buffer.from([0, 10, 0]))), failed],
  ['sends a method nobody knows', opening(frame(1, 0, Buffer.from([0, 99, 0, 1]))), failed],
  ['confirms what was never sent', onPublish((on) => [said.ack(on, 4_000_000_000)]), failed],
  ['sends a message nobody asked for', onPublish((on) => [said.header(on, 9, 'm1')]), failed],
  [
    'returns a message of a terabyte',
    onPublish((on) => [said.returned(on), said.header(on, 2 ** 40, 'm1')]),
    failed,
  ],
  [
    'returns more body than it said',
    onPublish((on) => [said.returned(on), said.header(on, 2, 'm1'), said.body(on, 3)]),
    failed,
  ],
  ['opens a channel twice', onPublish((on) => [said.selectOk(on)]), failed],
])('a broker that %s harms nobody', async (_what, answers, expected) => {
  expect(await publishTo(answers)).toMatchObject(expected)
})

test('a broker that sends without end is cut off', async () => {
  let written = 0
  const flood = (socket: Socket) => {
    const bytes = Buffer.concat(Array.from({ length: 1_000 }, () => frame(8, 0)))
    const more = () => {
      while (!socket.destroyed && socket.write(bytes)) written += bytes.length
    }
    socket.on('drain', more)
    more()
  }
  expect(await publishTo({ ...SOUND, '60.40': flood })).toMatchObject({
    kind: 'failed',
    error: expect.objectContaining({ message: expect.stringContaining('sends more') }),
  })
  expect(written).toBeLessThan(64 * 1024 * 1024)
})

test('many messages share a connection, and an exchange that is missing ends only its own', async () => {
  const channels = new Map<number, number>()
  const closing = new Set<number>()
  await using server = await listenAs({
    ...SOUND,
    '60.40': (socket, { channel, payload }) => {
      if (closing.has(channel)) return
      const exchange = payload.subarray(7, 7 + payload.readUInt8(6)).toString()
      const tag = (channels.get(channel) ?? 0) + 1
      channels.set(channel, tag)
      if (exchange === 'missing') {
        closing.add(channel)
        socket.write(said.channelClose(channel, 404, 'NOT_FOUND'))
      } else socket.write(said.ack(channel, tag))
    },
  })
  const broker = openForeignBroker(OPTIONS, server)
  const outcomes = await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      broker.publish(message({ exchange: index % 3 === 0 ? 'missing' : `x${index % 3}` }), 2_000),
    ),
  )
  const kinds = outcomes.map(({ kind }) => kind)
  expect(kinds.filter((kind) => kind === 'routed')).toHaveLength(40)
  expect(kinds.filter((kind) => kind === 'rejected')).toHaveLength(20)
  expect(server.accepted()).toBe(1)
  await broker.close()
  await closed(server)
})

test('a broker that stops reading gets no more than it takes, and is left in the end', async () => {
  await using server = await listenAs({
    ...SOUND,
    '85.10': (socket, { channel }) => {
      socket.write(said.selectOk(channel))
      socket.pause()
    },
  })
  const broker = openForeignBroker(OPTIONS, server)
  const body = Buffer.alloc(1024 * 1024)
  const outcomes = await Promise.all(
    Array.from({ length: 30 }, () => broker.publish(message({ body }), TIMEOUT_MS)),
  )
  expect(new Set(outcomes.map(({ kind }) => kind))).toContain('timed_out')
  expect(await broker.publish(message(), TIMEOUT_MS)).toMatchObject({
    kind: 'failed',
    error: expect.objectContaining({ message: 'the broker does not take what is sent' }),
  })
  await broker.close()
  server.resume()
  await closed(server)
})

test('a lost connection is made anew with the next message', async () => {
  let publishes = 0
  await using server = await listenAs({
    ...SOUND,
    '60.40': (socket, { channel }) => {
      publishes += 1
      if (publishes === 1) socket.destroy()
      else socket.write(said.ack(channel, 1))
    },
  })
  const broker = openForeignBroker(OPTIONS, server)
  expect(await broker.publish(message(), TIMEOUT_MS)).toMatchObject({ kind: 'failed' })
  expect(await broker.publish(message(), TIMEOUT_MS)).toMatchObject({ kind: 'routed' })
  expect(server.accepted()).toBe(2)
  await broker.close()
})

test('what the connection cannot be made with is told', async () => {
  const error = new Error('no route')
  const broker = openForeignBroker(OPTIONS, { dial: () => Promise.reject(error) })
  expect(await broker.publish(message(), TIMEOUT_MS)).toEqual({ kind: 'failed', error })
  await broker.close()
})

test('a name that AMQP has no room for is refused', async () => {
  const broker = openForeignBroker(OPTIONS, { dial: () => Promise.reject(new Error('no')) })
  const publish = broker.publish(message({ routingKey: 'x'.repeat(256) }), TIMEOUT_MS)
  await expect(publish).rejects.toThrow('at most 255 bytes')
  await broker.close()
})
