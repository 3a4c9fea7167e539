import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createTlsServer } from 'node:tls'
import { parseConfig } from '@signalbox/kit'
import { waitFor } from '@signalbox/testkit'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createAddressPolicy } from '../src/address-policy.ts'
import { createAmqpDelivery } from '../src/amqp-delivery.ts'
import { addressPolicyConfigShape, sealingConfigShape } from '../src/config.ts'
import { dialGuarded } from '../src/guarded-dial.ts'
import { createDnsResolver } from '../src/resolving.ts'
import { CERTIFICATES, listenRaw, resolveTo } from './fixtures.ts'

const policy = createAddressPolicy({ allow: ['127.0.0.0/8', '::1'] })
const deps = { policy, resolve: resolveTo(['127.0.0.1']) }

describe('AMQP over TLS', () => {
  async function listenTls(key: string, cert: string) {
    const server = createTlsServer({ key, cert })
    server.on('tlsClientError', () => undefined)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    return { port, [Symbol.asyncDispose]: async () => void server.close() }
  }

  test('takes a certificate of a trusted authority for the right name', async () => {
    await using server = await listenTls(CERTIFICATES.endpointKey, CERTIFICATES.endpoint)
    const target = { hostname: 'endpoint.test', port: server.port, isTls: true }
    const ca = [CERTIFICATES.ca]
    const socket = await dialGuarded({ ...target, ca }, deps, AbortSignal.timeout(2_000))
    expect(socket.remoteAddress).toBe('127.0.0.1')
    socket.destroy()
  })

  test.each([
    ['an unknown authority', 'endpoint.test', undefined, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['another name', 'other.test', [CERTIFICATES.ca], 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ])('does not take one of %s', async (_what, host, ca, code) => {
    await using server = await listenTls(CERTIFICATES.endpointKey, CERTIFICATES.endpoint)
    await using delivery = createAmqpDelivery({ ca }, deps)
    const outcome = await delivery.deliver({
      url: `amqps://${host}:${server.port}`,
      exchange: 'x',
      routingKey: 'k',
      messageId: 'm',
      body: '{}',
    })
    expect(outcome).toMatchObject({ outcome: 'unreachable', code, retryable: true })
  })

  test('does not wait for a handshake for ever, and leaves no socket', async () => {
    await using server = await listenRaw((socket) => void socket.resume())
    await using delivery = createAmqpDelivery({ connectTimeoutMs: 100 }, deps)
    const outcome = await delivery.deliver({
      url: `amqps://endpoint.test:${server.port}`,
      exchange: 'x',
      routingKey: 'k',
      messageId: 'm',
      body: '{}',
    })
    expect(outcome).toMatchObject({ outcome: 'timed_out', phase: 'connect' })
    await waitFor(() => server.open() === 0, { what: 'the socket to close', timeoutMs: 2_000 })
  })
})

describe('the DNS resolver', () => {
  /** Answers A with an address and AAAA with nothing; names that begin with `silent` get no answer at all. */
  async function listenDns() {
    const socket = createSocket('udp4')
    socket.on('message', (question, from) => {
      if (question.subarray(13).toString('latin1').startsWith('silent')) return
      const endOfName = question.indexOf(0, 12) + 1
      const isA = question.readUInt16BE(endOfName) === 1
      const head = Buffer.from(question.subarray(0, endOfName + 4))
      head.writeUInt16BE(0x8180, 2)
      head.writeUInt16BE(isA ? 1 : 0, 6)
      head.writeUInt16BE(0, 10)
      const answer = Buffer.from('c00c00010001000000000004c0000207', 'hex')
      socket.send(isA ? Buffer.concat([head, answer]) : head, from.port, from.address)
    })
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const servers = [`127.0.0.1:${socket.address().port}`]
    return { servers, [Symbol.asyncDispose]: async () => void socket.close() }
  }

  test('gives the addresses of all families that there are', async () => {
    await using dns = await listenDns()
    const resolve = createDnsResolver(dns)
    expect(await resolve('some.test')).toEqual([{ address: '192.0.2.7', family: 4 }])
  })

  test('gives up on servers that are silent', async () => {
    await using dns = await listenDns()
    const resolve = createDnsResolver({ ...dns, timeoutMs: 100 })
    await expect(resolve('silent.test')).rejects.toMatchObject({ code: 'ETIMEOUT' })
  })

  test('asks nobody about this machine', async () => {
    const resolve = createDnsResolver({ servers: ['127.0.0.1:1'] })
    for (const name of ['localhost', 'a.localhost']) {
      expect((await resolve(name)).map(({ address }) => address)).toEqual(['127.0.0.1', '::1'])
    }
  })
})

describe('the configuration', () => {
  const schema = z.object({ ...addressPolicyConfigShape, ...sealingConfigShape })
  const key = 'ab'.repeat(32)

  test('is safe by default', () => {
    expect(parseConfig(schema, { SIGNALBOX_SEALING_KEY: key })).toEqual({
      SIGNALBOX_CALLBACK_ALLOW: [],
      SIGNALBOX_CALLBACK_DENY: [],
      SIGNALBOX_CALLBACK_ALLOW_HTTP: false,
      SIGNALBOX_SEALING_KEY: key,
    })
  })

  test('reads lists', () => {
    const env = {
      SIGNALBOX_SEALING_KEY: `${key},${key}`,
      SIGNALBOX_CALLBACK_ALLOW: '10.0.0.0/8, ::1',
    }
    expect(parseConfig(schema, env).SIGNALBOX_CALLBACK_ALLOW).toEqual(['10.0.0.0/8', '::1'])
  })

  test.each([
    ['SIGNALBOX_CALLBACK_ALLOW', '10.0.0.1/8'],
    ['SIGNALBOX_CALLBACK_DENY', 'everything'],
    ['SIGNALBOX_SEALING_KEY', 'not-a-key'],
  ])('names %s when it is wrong, without its value', (name, value) => {
    const parse = () => parseConfig(schema, { SIGNALBOX_SEALING_KEY: key, [name]: value })
    expect(parse).toThrow(name)
    expect(parse).not.toThrow(value)
  })
})
