import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@signalbox/private-brokers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dockerAnswers } from '../src/docker.ts'

const engine = createServer((request, response) => {
  if (request.url === '/_ping') response.end('OK')
  else response.writeHead(404).end()
})
let folder: string
let socketPath: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'signalbox-engine-'))
  socketPath = join(folder, 'docker.sock')
  await new Promise<void>((resolve) => engine.listen(socketPath, resolve))
})

afterAll(async () => {
  await new Promise((resolve) => engine.close(resolve))
  await rm(folder, { recursive: true })
})

test('an engine that answers at DOCKER_HOST is found', async () => {
  await expect(dockerAnswers({ DOCKER_HOST: `unix://${socketPath}` })).resolves.toBe(true)
})

test('an engine at the socket of the user is found without DOCKER_HOST', async () => {
  await expect(dockerAnswers({ XDG_RUNTIME_DIR: folder })).resolves.toBe(true)
})

test('an address where nothing answers is no engine', async () => {
  await expect(dockerAnswers({ DOCKER_HOST: `unix://${folder}/absent.sock` })).resolves.toBe(false)
  await expect(dockerAnswers({ DOCKER_HOST: `tcp://127.0.0.1:${await freePort()}` })).resolves.toBe(
    false,
  )
  await expect(dockerAnswers({ DOCKER_HOST: 'ssh://user@nowhere.invalid' })).resolves.toBe(false)
})

test('a server that accepts and says nothing is no engine', async () => {
  const mute = createServer(() => undefined)
  const port = await freePort()
  await new Promise<void>((resolve) => mute.listen(port, '127.0.0.1', resolve))
  await expect(dockerAnswers({ DOCKER_HOST: `tcp://127.0.0.1:${port}` })).resolves.toBe(false)
  mute.closeAllConnections()
  await new Promise((resolve) => mute.close(resolve))
})
