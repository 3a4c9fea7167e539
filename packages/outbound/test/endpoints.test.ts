import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { waitFor } from '@signalbox/testkit'
import { describe, expect, test } from 'vitest'
import { createAddressPolicy } from '../src/address-policy.ts'
import {
  createHttpDelivery,
  type HttpCallback,
  type HttpDelivery,
  type HttpDeliveryOptions,
} from '../src/http-delivery.ts'
import type { Resolve } from '../src/resolving.ts'
import {
  CERTIFICATES,
  listen,
  listenHttp,
  listenRaw,
  resolveTo,
  type TestServer,
} from './fixtures.ts'

const QUICK: HttpDeliveryOptions = {
  connectTimeoutMs: 500,
  timeoutMs: 700,
  bodyTimeoutMs: 100,
  maxResponseBytes: 4_096,
  excerptBytes: 16,
}
const policy = createAddressPolicy({ allowHttp: true, allow: ['127.0.0.0/8'] })

function open(options: HttpDeliveryOptions = {}, resolve: Resolve = resolveTo(['127.0.0.1'])) {
  return createHttpDelivery({ ...QUICK, ...options }, { policy, resolve })
}

function post(delivery: HttpDelivery, server: TestServer, more: Partial<HttpCallback> = {}) {
  return delivery.deliver({ url: `http://endpoint.test:${server.port}/in`, body: '{}', ...more })
}

/** Takes what comes and says nothing. */
const hang = (socket: Socket) => void socket.resume()

/** Answers every request on a connection with these bytes, and then does no more. */
const answering = (bytes: string, then?: (socket: Socket) => void) =>
  listenRaw((socket) =>
    socket.on('data', () => {
      socket.write(bytes)
      then?.(socket)
    }),
  )

const gone = (server: TestServer) =>
  waitFor(() => server.open() === 0, { what: 'the connection to be closed', timeoutMs: 2_000 })

describe('an endpoint that answers with', () => {
  test.each([
    [200, { outcome: 'delivered', status: 200 }],
    [201, { outcome: 'delivered', status: 201 }],
    [204, { outcome: 'delivered', status: 204 }],
    [301, { outcome: 'refused', code: 'HTTP_301', retryable: true, isGone: false }],
    [400, { outcome: 'refused', code: 'HTTP_400', retryable: true, isGone: false }],
    [404, { outcome: 'refused', code: 'HTTP_404', retryable: true, isGone: false }],
    [410, { outcome: 'refused', code: 'HTTP_410', retryable: false, isGone: true }],
    [429, { outcome: 'refused', code: 'HTTP_429', retryable: true, isGone: false }],
    [500, { outcome: 'refused', code: 'HTTP_500', retryable: true, isGone: false }],
    [503, { outcome: 'refused', code: 'HTTP_503', retryable: true, isGone: false }],
  ])('%i ends so, and its connection is used again', async (status, expected) => {
    await using server = await listenHttp((_request, response) => {
      response.writeHead(status, { location: 'http://elsewhere.test/' }).end()
    })
    await using delivery = open()
    for (let i = 0; i < 6; i += 1) {
      const outcome = await post(delivery, server)
      expect(outcome).toMatchObject({ ...expected, address: '127.0.0.1' })
      expect(outcome.durationMs).toBeGreaterThanOrEqual(0)
    }
    // n.b. undici rests a connection for a turn of the event loop, so that the next request may need a second one.
    expect(server.accepted()).toBeLessThanOrEqual(2)
    await delivery.close()
    await gone(server)
  })

  test.each([
    ['120', 120_000],
    ['Thu, 01 Jan 2026 00:01:30 GMT', 90_000],
    ['99999999', 86_400_000],
    ['soon', undefined],
  ])('429 and Retry-After: %s', async (header, expected) => {
    await using server = await listenHttp((_request, response) => {
      response.writeHead(429, { 'retry-after': header }).end('slow down')
    })
    await using delivery = createHttpDelivery(QUICK, {
      policy,
      resolve: resolveTo(['127.0.0.1']),
      now: () => Date.UTC(2026, 0, 1),
    })
    const outcome = await post(delivery, server)
    expect(outcome).toMatchObject({ outcome: 'refused', responseExcerpt: 'slow down' })
    expect('retryAfterMs' in outcome ? outcome.retryAfterMs : undefined).toBe(expected)
  })
})

describe('an endpoint that', () => {
  test('takes the connection and never answers times out, and the connection is closed', async () => {
    await using server = await listenRaw(hang)
    await using delivery = open()
    const outcome = await post(delivery, server)
    expect(outcome).toMatchObject({ outcome: 'timed_out', phase: 'response', retryable: true })
    expect(outcome.durationMs).toBeLessThan(3_000)
    await gone(server)
  })

  test('does not complete the TLS handshake times out while connecting', async () => {
    await using server = await listenRaw(hang)
    await using delivery = open()
    const url = `https://endpoint.test:${server.port}/`
    expect(await post(delivery, server, { url })).toMatchObject({
      outcome: 'timed_out',
      phase: 'connect',
    })
    await gone(server)
  })

  test('has a name whose look-up hangs times out while connecting', async () => {
    await using server = await listenRaw(hang)
    await using delivery = open({}, () => new Promise(() => undefined))
    expect(await post(delivery, server)).toMatchObject({ outcome: 'timed_out', phase: 'connect' })
    expect(server.accepted()).toBe(0)
  })

  test('has a name that does not exist is unreachable', async () => {
    await using server = await listenRaw(hang)
    await using delivery = open({}, resolveTo([]))
    expect(await post(delivery, server)).toMatchObject({
      outcome: 'unreachable',
      code: 'ENOTFOUND',
    })
  })

  test('listens nowhere is unreachable, without an address in the message', async () => {
    const server = await listenRaw(hang)
    await server[Symbol.asyncDispose]()
    await using delivery = open()
    const outcome = await post(delivery, server)
    expect(outcome).toMatchObject({ outcome: 'unreachable', code: 'ECONNREFUSED', retryable: true })
    expect(JSON.stringify(outcome)).not.toContain('127.0.0.1')
  })

  test('hangs in the middle of its body has answered, and its connection is closed', async () => {
    await using server = await answering('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf')
    await using delivery = open()
    const outcome = await post(delivery, server)
    expect(outcome).toMatchObject({ outcome: 'delivered', status: 200, responseExcerpt: 'half' })
    expect(outcome.durationMs).toBeLessThan(QUICK.timeoutMs!)
    await gone(server)
  })

  test('never ends its body has answered, and no more than the bound is read', async () => {
    let written = 0
    await using server = await answering('HTTP/1.1 500 No\r\n\r\n', (socket) => {
      const chunk = 'x'.repeat(1_024)
      const more = () => {
        while (!socket.destroyed && socket.write(chunk)) written += chunk.length
      }
      socket.on('drain', more)
      more()
    })
    await using delivery = open()
    const outcome = await post(delivery, server)
    expect(outcome).toMatchObject({
      outcome: 'refused',
      status: 500,
      responseExcerpt: 'x'.repeat(16),
    })
    await gone(server)
    expect(written).toBeLessThan(16 * 1024 * 1024)
  })

  test('resets before it answers is unreachable', async () => {
    await using server = await answering('', (socket) => socket.resetAndDestroy())
    await using delivery = open()
    expect(await post(delivery, server)).toMatchObject({
      outcome: 'unreachable',
      code: expect.stringMatching(/^(ECONNRESET|UND_ERR_SOCKET)$/),
    })
    expect(server.accepted()).toBe(1)
  })

  test('resets within its status line is unreachable', async () => {
    await using server = await answering('HTTP/1.1 20', (socket) => socket.resetAndDestroy())
    await using delivery = open()
    expect(await post(delivery, server)).toMatchObject({ outcome: 'unreachable' })
  })

  test('resets within its body has answered', async () => {
    await using server = await answering(
      'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n',
      (socket) => setTimeout(() => socket.resetAndDestroy(), 20),
    )
    await using delivery = open()
    expect(await post(delivery, server)).toMatchObject({ outcome: 'delivered', status: 200 })
  })

  test('drips its head times out as a whole', async () => {
    await using server = await answering('HTTP/1.1 200 OK\r\n', (socket) => {
      const drip = setInterval(() => socket.write('x-drip: 1\r\n'), 20)
      socket.on('close', () => clearInterval(drip))
    })
    await using delivery = open()
    expect(await post(delivery, server)).toMatchObject({ outcome: 'timed_out', phase: 'response' })
    await gone(server)
  })

  test('drips its body has answered, and costs no more than the time for a body', async () => {
    await using server = await answering('HTTP/1.1 204 OK\r\n\r\n')
    await using dripping = await answering(
      'HTTP/1.1 202 OK\r\ncontent-length: 999\r\n\r\n',
      (socket) => {
        const drip = setInterval(() => socket.write('x'), 20)
        socket.on('close', () => clearInterval(drip))
      },
    )
    await using delivery = open()
    const slow = post(delivery, dripping)
    expect(await post(delivery, server)).toMatchObject({ outcome: 'delivered', status: 204 })
    expect(await slow).toMatchObject({ outcome: 'delivered', status: 202 })
    await gone(dripping)
  })

  test('sends 100 Continue for ever times out', async () => {
    await using server = await answering('', (socket) => {
      const drip = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 20)
      socket.on('close', () => clearInterval(drip))
    })
    await using delivery = open()
    expect(await post(delivery, server)).toMatchObject({ outcome: 'timed_out', phase: 'response' })
    await gone(server)
  })

  test('sends a head without end is unreachable', async () => {
    await using server = await answering(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`)
    await using delivery = open()
    expect(await post(delivery, server)).toMatchObject({ code: 'UND_ERR_HEADERS_OVERFLOW' })
    await gone(server)
  })

  test.each([
    'SSH-2.0-OpenSSH_9.6\r\n',
    '-ERR wrong number of arguments\r\n',
    'HTTP/1.1 abc\r\n\r\n',
  ])('speaks no HTTP (%j) is unreachable', async (bytes) => {
    await using server = await answering(bytes)
    await using delivery = open()
    expect(await post(delivery, server)).toMatchObject({ outcome: 'unreachable' })
  })

  test('closes idle connections just when they are used gets the request once more', async () => {
    let requests = 0
    await using server = await listenRaw((socket) => {
      let served = 0
      socket.on('data', () => {
        requests += 1
        served += 1
        if (served > 1) socket.resetAndDestroy()
        else socket.write('HTTP/1.1 204 No Content\r\n\r\n')
      })
    })
    await using delivery = open({ connectionsPerOrigin: 1 })
    expect(await post(delivery, server)).toMatchObject({ outcome: 'delivered' })
    expect(await post(delivery, server)).toMatchObject({ outcome: 'delivered' })
    expect([requests, server.accepted()]).toEqual([3, 2])
  })
})

describe('over TLS', () => {
  const serve = (key: string, cert: string) =>
    listen(createHttpsServer({ key, cert }, (_request, response) => response.end('safe')))
  const trusted = { ca: [CERTIFICATES.ca], timeoutMs: 2_000, connectTimeoutMs: 2_000 }

  test('a certificate of a trusted authority for the right name is taken', async () => {
    await using server = await serve(CERTIFICATES.endpointKey, CERTIFICATES.endpoint)
    await using delivery = open(trusted)
    const url = `https://endpoint.test:${server.port}/`
    expect(await post(delivery, server, { url })).toMatchObject({
      outcome: 'delivered',
      responseExcerpt: 'safe',
    })
  })

  test.each([
    ['a certificate that signs itself', 'endpoint.test', {}, 'ca', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    [
      'a certificate of an unknown authority',
      'endpoint.test',
      {},
      'endpoint',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
    [
      'a certificate for another name',
      'other.test',
      trusted,
      'endpoint',
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
  ] as const)('%s is not', async (_what, host, options, name, code) => {
    await using server = await serve(
      name === 'ca' ? CERTIFICATES.caKey : CERTIFICATES.endpointKey,
      CERTIFICATES[name],
    )
    await using delivery = open({ timeoutMs: 2_000, connectTimeoutMs: 2_000, ...options })
    const outcome = await post(delivery, server, { url: `https://${host}:${server.port}/` })
    expect(outcome).toMatchObject({ outcome: 'unreachable', code })
    await gone(server)
  })

  test('plain HTTP on its port is not', async () => {
    await using server = await listenHttp((_request, response) => response.end())
    await using delivery = open({ timeoutMs: 2_000 })
    const url = `https://endpoint.test:${server.port}/`
    expect(await post(delivery, server, { url })).toMatchObject({ outcome: 'unreachable' })
    await gone(server)
  })
})

describe('what is sent', () => {
  test('is the body, the headers and ours over theirs', async () => {
    const seen: { method: string; url: string; headers: object; body: string }[] = []
    await using server = await listenHttp((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      request.on('end', () => {
        const { method = '', url = '', headers } = request
        seen.push({ method, url, headers, body })
        response.end()
      })
    })
    await using delivery = open()
    await post(delivery, server, {
      url: `http://endpoint.test:${server.port}/a%20b?c=d`,
      method: 'PUT',
      headers: { 'X-Mine': 'yes', traceparent: 'theirs' },
      ownHeaders: { traceparent: 'ours', 'webhook-id': 'm1' },
      body: '{"a":"é"}',
    })
    const host = `endpoint.test:${server.port}`
    const headers = { host, 'x-mine': 'yes', traceparent: 'ours', 'webhook-id': 'm1' }
    expect(seen).toMatchObject([{ method: 'PUT', url: '/a%20b?c=d', body: '{"a":"é"}', headers }])
    expect(seen[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': '10',
      'user-agent': 'Signalbox',
    })
  })

  test.each([
    ['a header that ends its line', { headers: { 'x-a': 'b\r\nx-injected: 1' } }],
    ['a name that ends its line', { headers: { 'x-a\r\nx-injected': '1' } }],
    ['a host', { headers: { Host: 'internal.test' } }],
    ['a length', { headers: { 'content-length': '1' } }],
    ['a signature', { headers: { 'Webhook-Signature': 'v1,x' } }],
    ['a method of its own', { method: 'CONNECT' as never }],
    ['a path that ends its line', { url: 'http://endpoint.test/ HTTP/1.1\r\nx-injected: 1' }],
    ['own headers that end their line', { ownHeaders: { 'x-a': 'b\r\nx-injected: 1' } }],
  ])('is never %s', async (_what, callback: Partial<HttpCallback>) => {
    await using server = await listenHttp((_request, response) => response.end())
    await using delivery = open()
    const outcome = await post(delivery, server, callback)
    expect(outcome).toMatchObject({
      outcome: 'forbidden',
      code: 'SB_INVALID_INPUT',
      retryable: false,
    })
    expect(await post(delivery, server)).toMatchObject({ outcome: 'delivered' })
  })
})

const HAS_IPV6 = Object.values(networkInterfaces())
  .flat()
  .some((one) => one?.address === '::1')

test.runIf(HAS_IPV6)('an IPv6 address is an endpoint too', async () => {
  await using server = await listenHttp((_request, response) => response.end())
  await using delivery = createHttpDelivery(QUICK, {
    policy: createAddressPolicy({ allowHttp: true, allow: ['::1'] }),
    resolve: resolveTo([]),
  })
  const url = `http://[::1]:${server.port}/`
  expect(await post(delivery, server, { url })).toMatchObject({
    outcome: 'delivered',
    address: '::1',
  })
})

test('ten endpoints that hang hold up none that answers', async () => {
  await using hanging = await listenRaw(hang)
  await using good = await listenHttp((_request, response) => response.end())
  await using delivery = open({ timeoutMs: 2_000 })
  const stuck = Array.from({ length: 10 }, (_, index) =>
    post(delivery, hanging, { url: `http://dead-${index}.test:${hanging.port}/` }),
  )
  await waitFor(() => hanging.accepted() === 10, { what: 'all to hang', timeoutMs: 2_000 })
  const outcomes = await Promise.all(Array.from({ length: 100 }, () => post(delivery, good)))
  expect(outcomes.every(({ outcome }) => outcome === 'delivered')).toBe(true)
  expect(hanging.open()).toBe(10)
  expect((await Promise.all(stuck)).map(({ outcome }) => outcome)).toEqual(
    Array(10).fill('timed_out'),
  )
  await gone(hanging)
  expect(good.accepted()).toBeLessThanOrEqual(16)
})

test('origins are bounded: an idle one makes room, and one in use does not', async () => {
  await using hanging = await listenRaw(hang)
  await using good = await listenHttp((_request, response) => response.end())
  await using delivery = open({ maxOrigins: 2, timeoutMs: 1_000 })
  const at = (host: string, server: TestServer) =>
    post(delivery, server, { url: `http://${host}.test:${server.port}/` })
  expect(await at('a', good)).toMatchObject({ outcome: 'delivered' })
  expect(await at('b', good)).toMatchObject({ outcome: 'delivered' })
  expect(await at('c', good)).toMatchObject({ outcome: 'delivered' })
  await waitFor(() => good.open() === 2, { what: 'the first to be closed', timeoutMs: 1_000 })
  const stuck = [at('d', hanging), at('e', hanging)]
  expect(await at('f', good)).toMatchObject({ code: 'TOO_MANY_ENDPOINTS', retryable: true })
  expect(delivery.origins).toBe(2)
  await Promise.all(stuck)
})

test('an origin without requests is closed', async () => {
  await using server = await listenHttp((_request, response) => response.end())
  await using delivery = open({ idleMs: 50 })
  expect(await post(delivery, server)).toMatchObject({ outcome: 'delivered' })
  await waitFor(() => delivery.origins === 0, {
    what: 'the pool to be forgotten',
    timeoutMs: 1_000,
  })
  await gone(server)
})

test('closing ends what is under way', async () => {
  await using hanging = await listenRaw(hang)
  const delivery = open({ timeoutMs: 5_000 })
  const stuck = post(delivery, hanging)
  await waitFor(() => hanging.open() === 1, { what: 'the connection', timeoutMs: 1_000 })
  await delivery.close()
  expect(await stuck).toMatchObject({ outcome: 'unreachable' })
  await gone(hanging)
})
