import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { freePort, isListening } from '../src/ports.ts'

test('a free port can be listened on, and is seen to be once it is', async () => {
  const port = await freePort()
  await expect(isListening(port)).resolves.toBe(false)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  await expect(isListening(port)).resolves.toBe(true)
  await new Promise((resolve) => server.close(resolve))
})

test('no port is given out twice', async () => {
  const ports = await Promise.all(Array.from({ length: 200 }, freePort))
  expect(new Set(ports).size).toBe(200)
})
