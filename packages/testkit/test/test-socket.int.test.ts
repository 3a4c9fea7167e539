import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { openSocket } from '../src/test-socket.ts'

let server: WebSocketServer
let url: string

beforeAll(async () => {
  server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    verifyClient: ({ req }, answer) =>
      answer(req.headers.authorization !== 'refuse', 401, 'who are you?'),
  })
  server.on('connection', (socket, request) => {
    socket.send(`welcome ${request.headers.authorization ?? 'stranger'}`)
    socket.on('message', (data) => {
      const text = data.toString()
      if (text === 'close') socket.close(4001, 'as you wish')
      else socket.send(`echo ${text}`)
    })
  })
  await once(server, 'listening')
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/path?token=secret`
})

afterAll(() => server.close())

test('frames come in order, from the first one on', async () => {
  await using socket = await openSocket(url, {
    protocols: ['first', 'second'],
    headers: { authorization: 'friend' },
  })
  expect(socket.protocol).toBe('first')
  await expect(socket.next()).resolves.toBe('welcome friend')
  socket.send('one')
  socket.send({ two: 2 })
  await expect(Promise.all([socket.next(), socket.next()])).resolves.toEqual([
    'echo one',
    'echo {"two":2}',
  ])
})

test('a frame that does not come fails after the time, naming no token', async () => {
  await using socket = await openSocket(url)
  await socket.next()
  const missing = socket.next({ timeoutMs: 30 })
  await expect(missing).rejects.toThrow(/^waited 30 ms for a frame from ws:\S+\/path$/)
})

test('a frame that cannot come any more fails at once, with the close', async () => {
  await using socket = await openSocket(url)
  await socket.next()
  socket.send('close')
  await expect(socket.next()).rejects.toThrow('the socket closed (4001 as you wish)')
  await expect(socket.closed).resolves.toEqual({ code: 4001, reason: 'as you wish' })
})

test('a paused socket takes nothing until it is resumed', async () => {
  await using slow = await openSocket(url)
  await slow.next()
  slow.pause()
  slow.send('late')
  await using other = await openSocket(url)
  await expect(other.next()).resolves.toBe('welcome stranger')
  expect(slow.pending).toEqual([])
  slow.resume()
  await expect(slow.next()).resolves.toBe('echo late')
})

test('a refusal names the status and the reason, but not the token', async () => {
  const refused = openSocket(url, { headers: { authorization: 'refuse' } })
  await expect(refused).rejects.toThrow(/^ws:\S+\/path refused the socket: 401 who are you\?$/)
})

test('a server that is not there is an error', async () => {
  await expect(openSocket('ws://127.0.0.1:1/')).rejects.toThrow('ECONNREFUSED')
})
