/** The clients of a fan-out, in a process of their own. Told by its parent what to open and what to wait for. */
import { type FrameClient, openFrameClient } from './frame-client.ts'

export type ClientsRequest =
  | { open: { port: number; paths: string[]; texts: string[]; answers: number } }
  | { await: { frames: number } }
  | { close: true }

/** Handshakes under way at once. */
const CONCURRENCY = 100

let clients: FrameClient[] = []
let received = 0
let isClosing = false
let awaited = Number.POSITIVE_INFINITY

process.on('message', (request: ClientsRequest) => {
  if ('open' in request) void open(request.open).then(tell, fail)
  else if ('await' in request) {
    awaited = request.await.frames
    received = 0
    process.send?.({ ready: true })
  } else {
    isClosing = true
    for (const { socket } of clients) socket.destroy()
    clients = []
    tell()
  }
})

function tell(): void {
  process.send?.({ done: true })
}

function fail(error: unknown): void {
  process.send?.({ failed: String(error) })
}

function onEnd(): void {
  if (!isClosing) fail(new Error('the server closed a connection'))
}

function onFrame(): void {
  if (++received === awaited) tell()
}

async function open({
  port,
  paths,
  texts,
  answers,
}: Extract<ClientsRequest, { open: unknown }>['open']) {
  isClosing = false
  const next = paths.entries()
  const openSome = async () => {
    for (const [index, path] of next) {
      const own = texts.map((text) => text.replaceAll('{n}', String(index)))
      const client = openFrameClient({ port, path, texts: own, answers, onFrame, onEnd })
      clients.push(client)
      await client.open
      client.open.catch(() => undefined)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, openSome))
}
