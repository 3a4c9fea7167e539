import { connect, createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { startKeptProcess } from '../src/kept-process.ts'
import { freePort, isListening } from '../src/ports.ts'
import { waitFor } from '../src/wait-for.ts'

const BALANCER = new URL('../src/balancer/main.ts', import.meta.url).pathname
const stack = new AsyncDisposableStack()
afterEach(() => stack.disposeAsync())

/** Says its name to whoever connects, and stays connected. */
async function backend(name: string): Promise<{ port: number; end: () => void }> {
  const port = await freePort()
  const server: Server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.write(name)
    ends.push(() => socket.destroy())
  })
  const ends: (() => void)[] = []
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const end = () => {
    server.close()
    for (const endSocket of ends) endSocket()
  }
  stack.defer(end)
  return { port, end }
}

test('connections take turns, pass by what is down, and end with their backend', async () => {
  const [first, second] = [await backend('first'), await backend('second')]
  const port = await freePort()
  const balancer = startKeptProcess({
    name: 'balancer',
    env: {},
    command: [process.execPath, BALANCER, ...[port, first.port, second.port].map(String)],
  })
  stack.defer(() => balancer.kill())
  await waitFor(() => isListening(port), { what: 'the balancer to listen' })

  const greeted = async () => {
    const socket = connect(port, '127.0.0.1')
    stack.defer(() => void socket.destroy())
    const name = await new Promise<string>((resolve) =>
      socket.once('data', (data) => resolve(String(data))),
    )
    return { name, closed: new Promise((resolve) => socket.once('close', resolve)) }
  }
  const both = [await greeted(), await greeted()]
  expect(both.map(({ name }) => name).sort()).toEqual(['first', 'second'])

  first.end()
  await both.find(({ name }) => name === 'first')?.closed
  const later = [await greeted(), await greeted()]
  expect(later.map(({ name }) => name)).toEqual(['second', 'second'])
})
