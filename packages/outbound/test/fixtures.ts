/** Servers that see who comes, names that resolve as told, and certificates. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Resolve } from '../src/resolving.ts'

const pem = (name: string) => readFileSync(new URL(`fixtures/${name}.pem`, import.meta.url), 'utf8')

/** For `endpoint.test` and 127.0.0.1, by the authority `ca`; its own certificate signs itself. */
export const CERTIFICATES = {
  ca: pem('ca'),
  caKey: pem('ca-key'),
  endpoint: pem('endpoint'),
  endpointKey: pem('endpoint-key'),
}

export interface TestServer extends AsyncDisposable {
  port: number
  /** Connections that ever came. */
  accepted(): number
  /** Connections that are open now. */
  open(): number
}

/** Listens on every address of this machine, so that whatever reaches it is seen. */
export async function listen(server: Server): Promise<TestServer> {
  const sockets = new Set<Socket>()
  let accepted = 0
  server.on('connection', (socket: Socket) => {
    accepted += 1
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    open: () => sockets.size,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

export const listenRaw = (onSocket: (socket: Socket) => void) => listen(createServer(onSocket))
export const listenHttp = (onRequest: RequestListener) => listen(createHttpServer(onRequest))

/** One list of addresses per look-up of any name; the last one from then on. */
export function resolveTo(...answers: readonly (readonly string[])[]): Resolve & { calls: number } {
  const resolve = async () => {
    const addresses = answers[Math.min(resolve.calls, answers.length - 1)] ?? []
    resolve.calls += 1
    return addresses.map((address) => ({
      address,
      family: address.includes(':') ? (6 as const) : (4 as const),
    }))
  }
  resolve.calls = 0
  return resolve
}
