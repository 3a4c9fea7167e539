import { expect, test } from 'vitest'
import { startNodeProcess } from '../src/node-process.ts'
import { freePort, isListening } from '../src/ports.ts'

const SERVER = new URL('./fixtures/http-server.ts', import.meta.url)
const NEVER_READY = new URL('./fixtures/never-ready.ts', import.meta.url)

test('a process is ready when it says so, and sees only the environment it is given', async () => {
  const port = await freePort()
  await using server = await startNodeProcess({
    name: 'server',
    entry: SERVER,
    env: { PORT: String(port) },
  })
  await server.waitForReady(`http://127.0.0.1:${port}`)
  expect(server.output()).toContain('variables: HOME PATH PORT')
  server.kill('SIGTERM')
  await expect(server.exited).resolves.toBe('exit code 0')
  expect(server.kill('SIGTERM')).toBe(false)
})

test('disposing ends the process', async () => {
  const port = await freePort()
  {
    await using server = await startNodeProcess({
      name: 'server',
      entry: SERVER,
      env: { PORT: String(port) },
    })
    await server.waitForReady(`http://127.0.0.1:${port}`)
    await expect(isListening(port)).resolves.toBe(true)
  }
  await expect(isListening(port)).resolves.toBe(false)
})

test('waiting for a process that ends says how it ended and what it said', async () => {
  await using failing = await startNodeProcess({
    name: 'failing',
    entry: NEVER_READY,
    env: { FAIL: 'yes' },
  })
  const ready = failing.waitForReady('http://127.0.0.1:1')
  await expect(ready).rejects.toThrow(/^failing ended before it was ready \(exit code 1\)/)
  await expect(ready).rejects.toThrow('this process fails at its start')
})

test('waiting for a process that does not get ready says what it answered', async () => {
  const port = await freePort()
  await using waiting = await startNodeProcess({
    name: 'waiting',
    entry: NEVER_READY,
    env: { PORT: String(port) },
  })
  await expect(
    waiting.waitForReady(`http://127.0.0.1:${port}`, { timeoutMs: 2_000 }),
  ).rejects.toThrow(/waiting to be ready: \/readyz answers 503: .*Godot/)
})
