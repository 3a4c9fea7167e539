/** Free ports of this machine's loopback address. */
import { randomInt } from 'node:crypto'
import { createServer, Socket } from 'node:net'

/**
 * Below the range from which systems hand out ports to outgoing connections (32,768 on Linux, 49,152 elsewhere), so that a port
 * stays free between a server's death and its return.
 */
const LOWEST_PORT = 20_000
const HIGHEST_PORT = 32_000
const TRIES = 100

const handedOut = new Set<number>()

/** A port on 127.0.0.1 that nothing listens on; this process is never given the same one twice. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT)
    if (handedOut.has(port) || !(await canListen(port))) continue
    handedOut.add(port)
    return port
  }
  throw new Error(`no free port in ${TRIES} tries between ${LOWEST_PORT} and ${HIGHEST_PORT}`)
}

/** Whether something accepts connections on the port. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new Socket()
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1_000, () => end(false))
    socket.once('error', () => end(false))
    socket.connect(port, '127.0.0.1', () => end(true))
  })
}

/** What the port answers first when it is sent a text; empty: nothing, within a second. */
export function answerOn(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = new Socket()
    const end = (answer: string) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1_000, () => end(''))
    socket.once('error', () => end(''))
    socket.once('close', () => resolve(''))
    socket.once('data', (chunk) => end(chunk.toString()))
    socket.connect(port, '127.0.0.1', () => socket.write(text))
  })
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
