/**
 * 100,000 frames that are random, mutated, or wrong on purpose. Every one that is a message gets its answer, in its place; every breach
 * of the protocol ends its socket; and afterwards there is nothing left of any of them.
 */
import { waitFor } from '@signalbox/testkit'
import { expect, it } from 'vitest'
import { type BareClient, clientFrame, OPCODE, openBareClient } from './bare-client.ts'
import { memoryEngines, startEdge, tokenFor } from './edge-bed.ts'
import { collectGarbage } from './garbage.ts'

const FRAMES = 100_000
/** Of one socket; the last of some is a breach. */
const FRAMES_PER_SOCKET = 200
const SOCKETS_AT_ONCE = 20
const MAX_FRAME_BYTES = 16 * 1024
const MAX_GROWTH_BYTES = 16 * 1024 * 1024

/** Numbers that are the same at every run: mulberry32. */
function randomNumbers(seed: number) {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    below: (end: number) => Math.floor(next() * end),
    oneOf: <Item>(items: readonly Item[]): Item => items[Math.floor(next() * items.length)]!,
  }
}

type Random = ReturnType<typeof randomNumbers>

/** A request that is in order, of every kind there is. */
function soundRequest({ below, oneOf }: Random): object {
  const person_key = `p${below(30)}`
  const entity = oneOf(['flow', 'step'])
  const request_id = oneOf<unknown>([below(1e9), `r${below(1e9)}`])
  const resuming = oneOf<object>([{}, {}, { resume: true }, { since: 'a.1.b' }])
  const events = oneOf<object>([
    { event_type: `t${below(20)}` },
    { conversation_key: `c${below(20)}`, when: 'event.event_data.score > 5' },
    { person_key, conversation_type: 'poll' },
    { all: true },
  ])
  return oneOf<object>([
    {
      action: 'subscribe_state_change',
      request_id,
      data: { person_key, entity, ...resuming, ...oneOf([{}, { snapshot: true }]) },
    },
    { action: 'unsubscribe_state_change', request_id, data: { person_key, entity } },
    { action: 'subscribe', request_id, data: { ...events, ...resuming } },
    { action: 'unsubscribe', request_id, data: events },
    { action: 'list', request_id },
    { action: 'refresh_token', request_id, data: { token: oneOf(['', 'a.b.c', person_key]) } },
  ])
}

const STRANGE_VALUES: readonly unknown[] = [
  null,
  true,
  -0,
  1e308,
  '',
  'x'.repeat(5_000),
  '\u0000\ud800',
  [],
  {},
  [[[{}]]],
  { __proto__: { admin: true } },
  'constructor',
  '__proto__',
]

/** One field is something else, somewhere. */
function bentRequest(random: Random): string {
  const request = soundRequest(random) as Record<string, unknown>
  const target = random.oneOf([request, (request.data ?? {}) as Record<string, unknown>])
  const keys = [...Object.keys(target), '__proto__', 'when', 'constructor']
  Object.defineProperty(target, random.oneOf(keys), {
    value: random.oneOf(STRANGE_VALUES),
    enumerable: true,
    configurable: true,
  })
  return JSON.stringify(request)
}

/** Bytes are changed, cut, or doubled; still text. */
function mutatedText(random: Random): Buffer {
  const bytes = Buffer.from(JSON.stringify(soundRequest(random)))
  for (let count = 1 + random.below(4); count > 0; count--) {
    bytes[random.below(bytes.length)] = random.below(128)
  }
  const cut = bytes.subarray(0, random.oneOf([bytes.length, random.below(bytes.length)]))
  return random.oneOf([cut, Buffer.concat([cut, cut])])
}

function deepText(random: Random): string {
  const depth = 1 + random.below(4_000)
  return random.oneOf([
    '['.repeat(depth),
    `${'['.repeat(depth)}${']'.repeat(depth)}`,
    `{"action":"list","request_id":1,"data":${'{"a":'.repeat(depth / 2)}1${'}'.repeat(depth / 2)}}`,
    `{"action":"subscribe","request_id":2,"data":{"event_type":"t","when":"${'('.repeat(depth)}1${')'.repeat(depth)}"}}`,
    '"'.padEnd(MAX_FRAME_BYTES, 'x'),
  ])
}

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)))
}

/** Frames that are one message, and so have one answer. */
function message(random: Random): Buffer {
  const text = (payload: Buffer) => clientFrame({ opcode: OPCODE.text, payload })
  switch (random.below(8)) {
    case 0:
    case 1:
      return text(Buffer.from(JSON.stringify(soundRequest(random))))
    case 2:
      return text(Buffer.from(bentRequest(random)))
    case 3:
    case 4:
      return text(mutatedText(random))
    case 5:
      return text(Buffer.from(deepText(random).slice(0, MAX_FRAME_BYTES)))
    case 6: {
      const payload = randomBytes(random, random.below(300))
      return clientFrame({ opcode: OPCODE.binary, payload })
    }
    default:
      return fragmented(random, Buffer.from(JSON.stringify(soundRequest(random))))
  }
}

/** In up to ten pieces, some of them empty, with pings between them. */
function fragmented(random: Random, payload: Buffer): Buffer {
  const cuts = Array.from({ length: random.below(9) }, () => random.below(payload.length + 1))
  const ends = [...cuts.toSorted((a, b) => a - b), payload.length]
  const pieces = ends.map((end, index) => {
    const piece = payload.subarray(ends[index - 1] ?? 0, end)
    const opcode = index === 0 ? OPCODE.text : OPCODE.continuation
    return clientFrame({ opcode, payload: piece, isFinal: index === ends.length - 1 })
  })
  const ping = clientFrame({ opcode: OPCODE.ping, payload: randomBytes(random, random.below(126)) })
  return Buffer.concat(pieces.flatMap((piece) => random.oneOf([[piece], [ping, piece]])))
}

/** What ends a socket, and by which code; 1000 and the like: what the client closed with. */
function breach(random: Random): Buffer {
  const payload = randomBytes(random, 1 + random.below(100))
  const empty = Buffer.alloc(0)
  const { text, continuation, ping, close } = OPCODE
  return random.oneOf([
    () => clientFrame({ opcode: text, payload, isMasked: false }),
    () => clientFrame({ opcode: random.oneOf([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), payload }),
    () => clientFrame({ opcode: text, payload, reserved: 1 + random.below(7) }),
    () => clientFrame({ opcode: continuation, payload }),
    () => clientFrame({ opcode: ping, payload, isFinal: false }),
    () => clientFrame({ opcode: ping, payload: Buffer.alloc(126) }),
    () => clientFrame({ opcode: text, payload: Buffer.from([0xc3, 0x28]) }),
    () => clientFrame({ opcode: text, payload: Buffer.alloc(MAX_FRAME_BYTES + 1) }),
    () => clientFrame({ opcode: text, payload, announcedLength: 2 ** (17 + random.below(35)) }),
    () => clientFrame({ opcode: close, payload: Buffer.from([0]) }),
    () => clientFrame({ opcode: close, payload: Buffer.from([3, 0xec]) }),
    () => clientFrame({ opcode: close, payload: Buffer.from([3, 0xe8, 0xff]) }),
    () => clientFrame({ opcode: close, payload: empty }),
    () =>
      Buffer.concat([
        clientFrame({ opcode: text, payload, isFinal: false }),
        ...Array.from({ length: 70 }, () =>
          clientFrame({ opcode: continuation, payload: empty, isFinal: false }),
        ),
      ]),
  ])()
}

/** A socket's whole life. Returns how many messages it sent. */
async function live(random: Random, client: BareClient): Promise<number> {
  const hasBreach = random.below(2) === 0
  const messages = FRAMES_PER_SOCKET - (hasBreach ? 1 : 0)
  for (let sent = 0; sent < messages; ) {
    const batch = Math.min(1 + random.below(30), messages - sent)
    const frames = Array.from({ length: batch }, () => message(random))
    client.socket.write(Buffer.concat(frames))
    sent += batch
    await waitFor(() => client.answers.length === sent, {
      what: `${sent} answers (there are ${client.answers.length}, ended: ${client.isEnded} ${client.closeCode})`,
      intervalMs: 1,
    })
  }
  if (hasBreach) client.socket.write(breach(random))
  else client.socket.end(clientFrame({ opcode: OPCODE.close, payload: Buffer.from([3, 0xe8]) }))
  await waitFor(() => client.isEnded, { what: 'the socket to end', intervalMs: 1 })
  return messages
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
}

it('answers or ends whatever comes, and keeps nothing of it', { timeout: 60_000 }, async () => {
  await using engines = memoryEngines()
  const held = { channels: 0 }
  const { channels } = engines.store
  const counting: typeof channels = {
    ...channels,
    async subscribe(...args) {
      const unsubscribe = await channels.subscribe(...args)
      held.channels++
      let isHeld = true
      return async () => {
        if (isHeld) held.channels--
        isHeld = false
        await unsubscribe()
      }
    },
  }
  await using edge = await startEdge(
    { broker: engines.broker, store: { ...engines.store, channels: counting } },
    { framesPerSecond: 0, acceptsPerSecond: 0, maxSubscriptions: 10 },
  )
  const token = await tokenFor()
  const statuses = new Map<number, number>()

  const run = async (frames: number, seed: number) => {
    const seeds = Array.from({ length: frames / FRAMES_PER_SOCKET }, (_, index) => seed + index)
    const next = seeds.values()
    const work = async () => {
      for (const own of next) {
        const client = await openBareClient(edge.origin, token)
        expect(await live(randomNumbers(own), client)).toBe(client.answers.length)
        for (const { status } of client.answers) {
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
        }
      }
    }
    await Promise.all(Array.from({ length: SOCKETS_AT_ONCE }, work))
    await waitFor(async () => (await edge.sample('signalbox_edge_connections')) === 0, {
      what: 'the last socket to be gone',
    })
    await waitFor(() => held.channels === 0, { what: 'the channels to be released' })
    collectGarbage()
    return { heapBytes: process.memoryUsage().heapUsed, timers: timers() }
  }

  // The first fifth warms up: caches are filled, code is compiled.
  const before = await run(FRAMES / 5, 1)
  const after = await run((FRAMES * 4) / 5, 1_000_000)
  expect(after.timers).toBeLessThanOrEqual(before.timers)
  expect(after.heapBytes - before.heapBytes).toBeLessThan(MAX_GROWTH_BYTES)
  expect(await edge.sample('signalbox_edge_subscriptions')).toBe(0)
  // It was no fuzz if everything were refused; and nothing went wrong in the edge.
  expect(statuses.get(200)).toBeGreaterThan(FRAMES / 5)
  for (const status of [400, 401, 404, 429]) expect(statuses.get(status)).toBeGreaterThan(0)
  expect(statuses.get(500) ?? 0).toBe(0)
})
