/** A TCP proxy before a server, which passes on what clients send with a delay that can be changed. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'

export interface SlowProxy extends AsyncDisposable {
  /** `url` with this proxy in the place of its host and port. */
  readonly url: string
  /** For what is sent from now on; 0 at first. */
  delayMs: number
}

export async function startSlowProxy(url: string): Promise<SlowProxy> {
  const upstream = new URL(url)
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket)
    return socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
  }
  async function* delayed(chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      if (proxy.delayMs > 0) await pause(proxy.delayMs)
      yield chunk
    }
  }
  const server = createServer((client) => {
    const near = keep(client)
    const far = keep(connect(Number(upstream.port), upstream.hostname))
    const broken = () => {
      near.destroy()
      far.destroy()
    }
    pipeline(near, delayed, far).then(broken, broken)
    pipeline(far, near).then(broken, broken)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxied = new URL(url)
  proxied.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const proxy: SlowProxy = {
    url: proxied.href,
    delayMs: 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
