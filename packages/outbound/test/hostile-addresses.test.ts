import { createServer } from 'node:net'
import { InvalidInputError } from '@signalbox/kit'
import { Pool } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAddressPolicy } from '../src/address-policy.ts'
import { AMQP_SCHEMES, createAmqpDelivery } from '../src/amqp-delivery.ts'
import { checkCallbackAddress, checkCallbackUrl } from '../src/callback-url.ts'
import { createGuardedConnector } from '../src/guarded-connector.ts'
import { dialGuarded } from '../src/guarded-dial.ts'
import { createHttpDelivery } from '../src/http-delivery.ts'
import { resolveBySystem } from '../src/resolving.ts'
import { listen, resolveTo, type TestServer } from './fixtures.ts'
import { HOSTILE_ADDRESSES, type HostileAddress } from './hostile-addresses.ts'

const policy = createAddressPolicy({ allowHttp: true })
const QUICK = { connectTimeoutMs: 500, timeoutMs: 700 }

let inside: TestServer

beforeAll(async () => {
  inside = await listen(createServer())
})

afterAll(async () => {
  await inside[Symbol.asyncDispose]()
})

/** The answers that only the connection gets: a check before saw the first one already. */
const laterAnswers = ({ answers = [[]] }: HostileAddress) => answers.slice(-1)

test('the table has at least 60 forms', () => {
  const forms = HOSTILE_ADDRESSES.map(({ host, answers }) => JSON.stringify([host, answers]))
  expect(new Set(forms).size).toBe(HOSTILE_ADDRESSES.length)
  expect(HOSTILE_ADDRESSES.length).toBeGreaterThanOrEqual(60)
})

describe.each(HOSTILE_ADDRESSES.map((form) => [form.name, form] as const))('%s', (_name, form) => {
  test.each(['http', 'https'])('is not reached over %s', async (scheme) => {
    await using delivery = createHttpDelivery(QUICK, {
      policy,
      resolve: resolveTo(...laterAnswers(form)),
    })
    const url = `${scheme}://${form.host}:${inside.port}/`
    expect(await delivery.deliver({ url, body: '{}' })).toMatchObject({ outcome: 'forbidden' })
    expect(inside.accepted()).toBe(0)
  })

  test.each(['amqp', 'amqps'])('is not reached over %s', async (scheme) => {
    await using delivery = createAmqpDelivery(QUICK, {
      policy,
      resolve: resolveTo(...laterAnswers(form)),
    })
    const outcome = await delivery.deliver({
      url: `${scheme}://${form.host}:${inside.port}`,
      exchange: 'callbacks',
      routingKey: 'all',
      messageId: 'm1',
      body: '{}',
    })
    expect(outcome).toMatchObject({ outcome: 'forbidden' })
    expect(inside.accepted()).toBe(0)
  })

  test('is refused at registration, unless its name leads elsewhere then', async () => {
    const [first = []] = form.answers ?? []
    const isInnocent = form.answers !== undefined && form.answers.length > 1
    for (const scheme of ['http:', 'https:', ...AMQP_SCHEMES]) {
      const checked = (async () => {
        const text = `${scheme}//${form.host}:${inside.port}/`
        const schemes = ['http:', 'https:', ...AMQP_SCHEMES] as const
        const url = checkCallbackUrl(text, policy, { schemes })
        await checkCallbackAddress(url, policy, resolveTo(first))
      })()
      if (isInnocent) await checked
      else await expect(checked).rejects.toBeInstanceOf(InvalidInputError)
    }
  })
})

/** What the platform and the system read as an address, without the check of the URL in front. */
const NUMBERS = HOSTILE_ADDRESSES.filter(({ host }) =>
  /^(\[.*\]|[0-9a-fx.]+|localhost)$/i.test(host),
)

describe.each(NUMBERS.map(({ host }) => host))('without the check of its URL, %s', (host) => {
  const deps = { policy, resolve: resolveBySystem }

  test('is not connected to over HTTP', async () => {
    const connect = createGuardedConnector({ connectTimeoutMs: 500, maxTlsSessions: 1 }, deps)
    const origin = URL.parse(`http://${host}:${inside.port}`)?.origin
    if (origin === undefined) return
    const pool = new Pool(origin, { connect })
    await expect(pool.request({ path: '/', method: 'POST' })).rejects.toMatchObject({
      code: expect.stringMatching(/^(SB_ADDRESS_REFUSED|ENOTFOUND|EAI_AGAIN)$/),
    })
    await pool.destroy()
    expect(inside.accepted()).toBe(0)
  })

  test('is not connected to by a socket', async () => {
    const hostname = host.replace(/^\[|\]$/g, '').replace('%25', '%')
    const target = { hostname, port: inside.port, isTls: false }
    await expect(dialGuarded(target, deps, AbortSignal.timeout(500))).rejects.toMatchObject({
      code: expect.stringMatching(/^(SB_ADDRESS_REFUSED|ENOTFOUND|EAI_AGAIN)$/),
    })
    expect(inside.accepted()).toBe(0)
  })
})

test('a connection that is opened again is checked again', async () => {
  let served = 0
  await using endpoint = await listen(
    createServer((socket) =>
      socket.on('data', () => {
        served += 1
        socket.end('HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n')
      }),
    ),
  )
  // What is public here is the one address that is allowed; afterwards the name leads to another one of this machine.
  const resolve = resolveTo(['127.0.0.1'], ['127.0.0.2'])
  await using delivery = createHttpDelivery(QUICK, {
    policy: createAddressPolicy({ allowHttp: true, allow: ['127.0.0.1'] }),
    resolve,
  })
  const url = `http://rebinding.test:${endpoint.port}/`
  const first = await delivery.deliver({ url, body: '{}' })
  expect(first).toMatchObject({ outcome: 'delivered', address: '127.0.0.1' })
  const second = await delivery.deliver({ url, body: '{}' })
  expect(second).toMatchObject({
    outcome: 'forbidden',
    code: 'SB_ADDRESS_REFUSED',
    retryable: true,
  })
  expect(second).not.toHaveProperty('address')
  expect([resolve.calls, served, endpoint.accepted()]).toEqual([2, 1, 1])
})

test.each([301, 302, 303, 307, 308])(
  'a redirect (%i) to inside is not followed',
  async (status) => {
    await using endpoint = await listen(
      createServer((socket) =>
        socket.on('data', () => {
          const to = `http://127.0.0.1:${inside.port}/`
          socket.end(`HTTP/1.1 ${status} Moved\r\nlocation: ${to}\r\ncontent-length: 0\r\n\r\n`)
        }),
      ),
    )
    await using delivery = createHttpDelivery(QUICK, {
      policy: createAddressPolicy({ allowHttp: true, allow: ['127.0.0.1'] }),
      resolve: resolveTo(['127.0.0.1']),
    })
    const outcome = await delivery.deliver({ url: `http://e.test:${endpoint.port}/`, body: '{}' })
    expect(outcome).toMatchObject({
      outcome: 'refused',
      status,
      message: expect.stringContaining('redirects are not followed'),
    })
    expect(inside.accepted()).toBe(0)
  },
)

test('an error does not tell the address behind a name', async () => {
  await using delivery = createHttpDelivery(QUICK, { policy, resolve: resolveTo(['10.9.8.7']) })
  const outcome = await delivery.deliver({ url: 'https://db.test/', body: '{}' })
  expect(JSON.stringify(outcome)).not.toContain('10.9.8.7')
  expect(outcome).toMatchObject({ message: expect.stringContaining('private') })
})
