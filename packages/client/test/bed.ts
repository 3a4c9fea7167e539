/** A client on fake sockets and a fake clock. */
import { afterEach, beforeEach, vi } from 'vitest'
import { type Client, type ClientOptions, connect, type Status } from '../src/index.ts'
import { FakeSocket, fakeSockets } from './fake-sockets.ts'

export interface Bed {
  client: Client
  sockets: FakeSocket[]
  /** Told, oldest first. */
  statuses: Status[]
  /** The newest socket. */
  readonly socket: FakeSocket
  /** Lets the clock run until the next socket is made, and opens it. */
  reopen(withinMs?: number): Promise<FakeSocket>
}

const beds: Client[] = []

/** For a test file: the clock is a fake one, and clients are closed after each test. */
export function useBed(): void {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(async () => {
    const closing = beds.splice(0).map((client) => client.close())
    await vi.advanceTimersByTimeAsync(2_000)
    await Promise.all(closing)
    vi.useRealTimers()
  })
}

/** Its first socket is there, and not open yet. */
export async function connected(
  options: Partial<ClientOptions> = {},
  Base: typeof FakeSocket = FakeSocket,
): Promise<Bed> {
  const { sockets, webSocket } = fakeSockets(Base)
  const statuses: Status[] = []
  const client = connect({
    url: 'ws://edge.example:8081',
    token: () => 'a-token',
    onStatus: (status) => statuses.push(status),
    heartbeatMs: 0,
    webSocket,
    ...options,
  })
  beds.push(client)
  await vi.advanceTimersByTimeAsync(0)
  return {
    client,
    sockets,
    statuses,
    get socket() {
      return sockets.at(-1)!
    },
    async reopen(withinMs = 30_000) {
      const before = sockets.length
      for (let waitedMs = 0; sockets.length === before; waitedMs += 10) {
        if (waitedMs > withinMs) throw new Error(`no socket within ${withinMs} ms`)
        await vi.advanceTimersByTimeAsync(10)
      }
      sockets.at(-1)!.open()
      return sockets.at(-1)!
    },
  }
}

export async function opened(options: Partial<ClientOptions> = {}): Promise<Bed> {
  const bed = await connected(options)
  bed.socket.open()
  return bed
}

export const P1 = { personKey: 'p1', entity: 'flow' } as const

export const change = (id: string) => ({
  entity: 'flow',
  id,
  identifier: 'i',
  state: 'active',
  previous_state: null,
})

export const changeFrame = (requestId: number, id: string, cursor?: string) => ({
  event: 'state_change',
  request_id: requestId,
  data: change(id),
  ...(cursor === undefined ? {} : { cursor }),
})
