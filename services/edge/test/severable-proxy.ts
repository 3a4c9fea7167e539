/** A TCP proxy before a server, whose connections a test can sever and keep severed. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface SeverableProxy extends AsyncDisposable {
  /** `url` with this proxy in the place of its host and port. */
  readonly url: string
  /** Ends all connections and refuses new ones until `mend`. */
  sever(): void
  mend(): void
}

export async function startSeverableProxy(url: string): Promise<SeverableProxy> {
  const upstream = new URL(url)
  const sockets = new Set<Socket>()
  let isSevered = false
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
    return socket
  }
  const server = createServer((client) => {
    if (isSevered) return client.destroy()
    const near = keep(client)
    const far = keep(connect(Number(upstream.port), upstream.hostname))
    near.pipe(far).on('close', () => near.destroy())
    far.pipe(near).on('close', () => far.destroy())
    return undefined
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxied = new URL(url)
  proxied.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const sever = () => {
    isSevered = true
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: proxied.href,
    sever,
    mend() {
      isSevered = false
    },
    async [Symbol.asyncDispose]() {
      sever()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
