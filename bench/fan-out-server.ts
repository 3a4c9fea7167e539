/**
 * One candidate of the fan-out, in a process of its own: it listens, and sends events to all its clients when its parent says so.
 *
 *   node --expose-gc bench/fan-out-server.ts <candidate>
 */
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createMemoryBroker, createTopology } from '@signalbox/broker'
import { createMetrics, createReadiness, silentLog } from '@signalbox/kit'
import { createEdge } from '@signalbox/service-edge'
import { createMemoryStore } from '@signalbox/store'
import { Server as SocketIoServer } from 'socket.io'
import * as ws from 'ws'
import { type WebSocket, WebSocketServer } from 'ws'
import { TOKEN_SECRET } from './brokers.ts'

export const ACCOUNT = 'bench'
export const CHANNEL_PERSON = 'everybody'

export type ServerRequest = { publish: { count: number } } | { memory: true } | { cpu: true }

/** Exported by ws, and unknown to its types. */
const { Sender } = ws as unknown as {
  Sender: { frame(payload: Buffer, options: typeof TEXT_FRAME): Buffer[] }
}

interface Sending {
  sendFrame(frame: Buffer[]): void
}

/** What ws gives its own sender for a text. */
const TEXT_FRAME = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: true }

interface Candidate {
  port: number
  publish(sequence: number): void | Promise<void>
}

const CANDIDATES: Record<string, () => Promise<Candidate>> = {
  'ws, stringify once': () =>
    startWs((clients, data) => {
      const text = frameText(data)
      for (const client of clients) client.send(text)
    }),
  'ws, frame once': () =>
    startWs((clients, data) => {
      const frame = framed(Buffer.from(frameText(data)))
      // n.b. a private field of ws: what the edge does without.
      for (const client of clients) (client as unknown as { _socket: Socket })._socket.write(frame)
    }),
  'ws, frame once, by its sender': () =>
    startWs((clients, data) => {
      const frame = Sender.frame(Buffer.from(frameText(data)), TEXT_FRAME)
      // n.b. private, too; two buffers in one corked write, as ws sends by itself.
      for (const client of clients)
        (client as unknown as { _sender: Sending })._sender.sendFrame(frame)
    }),
  'socket.io': startSocketIo,
  'edge, joining': () => startEdge(5),
  'edge, not joining': () => startEdge(0),
}

const candidate = await CANDIDATES[process.argv[2] ?? '']?.()
if (!candidate) throw new Error(`candidates: ${Object.keys(CANDIDATES).join('; ')}`)
const { port, publish } = candidate
let sequence = 0

process.on('message', (request: ServerRequest) => {
  if ('memory' in request) {
    globalThis.gc?.()
    globalThis.gc?.()
    const { rss, heapUsed } = process.memoryUsage()
    process.send?.({ rssBytes: rss, heapBytes: heapUsed })
  } else if ('cpu' in request) {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpuUs: user + system })
  } else {
    void publishMany(request.publish.count)
  }
})

async function publishMany(count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) {
    await publish(sequence++)
    // One event per turn of the event loop, as they come from a broker.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

process.once('SIGINT', () => process.exit(0))
process.send?.({ port })

/** About 300 bytes as a frame. */
function changeOf(index: number) {
  return {
    id: String(index).padStart(8, '0'),
    identifier: 'i'.repeat(160),
    state: 'active',
    previous_state: null,
  }
}

function frameText(data: object): string {
  return JSON.stringify({ event: 'state_change', request_id: 1, data: { entity: 'flow', ...data } })
}

function framed(payload: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from([0x81, 126, payload.length >> 8, payload.length & 0xff]),
    payload,
  ])
}

async function startWs(send: (clients: Set<WebSocket>, data: object) => void): Promise<Candidate> {
  const http = createServer()
  const server = new WebSocketServer({ server: http, perMessageDeflate: false })
  const port = await listening(http)
  return { port, publish: (index) => send(server.clients, changeOf(index)) }
}

async function startSocketIo(): Promise<Candidate> {
  const http = createServer()
  const server = new SocketIoServer(http, { transports: ['websocket'], serveClient: false })
  const port = await listening(http)
  return {
    port,
    publish(index) {
      server.emit('state_change', { request_id: 1, data: { entity: 'flow', ...changeOf(index) } })
    },
  }
}

/** On the memory engines, so that what is seen is the edge's own cost. */
async function startEdge(joinMs: number): Promise<Candidate> {
  const broker = createMemoryBroker({ topology: createTopology(), log: silentLog })
  const store = createMemoryStore()
  const edge = await createEdge(
    {
      tokenSecret: TOKEN_SECRET,
      joinMs,
      maxConnections: 100_000,
      maxPerAddress: 100_000,
      maxPerAccount: 100_000,
      maxIdleMs: 0,
      acceptsPerSecond: 0,
    },
    {
      broker,
      store,
      log: silentLog,
      readiness: createReadiness(),
      metrics: createMetrics({ withProcessMetrics: false }),
    },
  )
  await edge.app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = edge.app.server.address() as AddressInfo
  const channel = { accountKey: ACCOUNT, kind: 'person' as const, personKey: CHANNEL_PERSON }
  return {
    port,
    publish: (index) =>
      store.channels.append([
        {
          channel,
          id: `e${index}`,
          payload: JSON.stringify({
            event: 'state_change',
            timestamp: new Date().toISOString(),
            data: { entity: 'flow', ...changeOf(index) },
          }),
        },
      ]),
  }
}

function listening(http: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve) =>
    http.listen(0, '127.0.0.1', () => resolve((http.address() as AddressInfo).port)),
  )
}
