import { createSealer } from '@signalbox/outbound'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AT, aDelivery } from './delivery-fixture.ts'
import { type Fixture, SEALING_KEYS, startFixture } from './fixture.ts'

const HOOK = { type: 'http', url: 'https://hooks.example.org/signalbox' }
const LISTENER = { name: 'Shop', event_types: ['poll_complete'], callback: HOOK }

let api: Fixture
beforeEach(async () => {
  api = await startFixture()
})
afterEach(() => api[Symbol.asyncDispose]())

const urlOf = (path = '', account = 'acme') => `/v1/accounts/${account}/listeners${path}`
const chainUrl = (id: string) => `/v1/accounts/acme/chains/listener-${id}`
const get = (url: string) => api.call({ method: 'GET', url })
const post = (url: string, payload: object = {}) => api.call({ method: 'POST', url, payload })
const put = (url: string, payload: object) => api.call({ method: 'PUT', url, payload })
const create = async (payload: object = LISTENER) => {
  const answer = await post(urlOf(), payload)
  expect(answer.statusCode, answer.body).toBe(201)
  return answer.json<{ listener_id: string; secret?: string; public_key?: string }>()
}
const keptSecrets = async (id: string) => (await api.store.listeners.get('acme', id))!.secrets
const opened = (sealed: string, id: string) =>
  createSealer({ keys: SEALING_KEYS }).open(sealed, ['acme', id])

describe('a listener', () => {
  it('is created with a secret that is shown once, and read without it', async () => {
    const { secret, ...created } = await create()
    expect(secret).toMatch(/^whsec_/)
    expect(created).toMatchObject({
      ...LISTENER,
      state: 'active',
      version: 1,
      signing: [{ scheme: 'hmac-sha256' }],
    })
    const id = created.listener_id
    const read = await get(urlOf(`/${id}`))
    expect(read.json()).toEqual({
      ...created,
      deliveries: { delivered: 0, failed: 0, forgotten: 0 },
    })
    expect((await get(urlOf())).json()).toEqual({ items: [created] })
    const { signing } = await keptSecrets(id)
    expect(opened(signing[0]!.sealed, id)).toBe(secret)
    expect(JSON.stringify(await api.store.listeners.get('acme', id))).not.toContain(secret)
  })

  it('is one of its account', async () => {
    const { listener_id } = await create()
    expect((await get(urlOf(`/${listener_id}`, 'other'))).statusCode).toBe(404)
    expect((await get(urlOf('', 'other'))).json()).toEqual({ items: [] })
    const foreign = await api.keyOf('other', 'read', 'manage')
    const answer = await api.call({ method: 'DELETE', url: urlOf(`/${listener_id}`) }, foreign)
    expect(answer.statusCode).toBe(403)
  })

  it('shows a public key instead of a secret when its deliveries are signed with ed25519', async () => {
    const created = await create({ ...LISTENER, signature: 'ed25519' })
    expect(created).not.toHaveProperty('secret')
    expect(created).toMatchObject({
      public_key: expect.stringMatching(/^whpk_/),
      signing: [{ scheme: 'ed25519', public_key: created.public_key }],
    })
  })

  it('is a chain, which is shown and cannot be changed but through it', async () => {
    const { listener_id: id } = await create()
    const chain = (await get(chainUrl(id))).json<object>()
    expect(chain).toMatchObject({
      name: 'Listener: Shop',
      enabled: true,
      trigger: { conversation_type: '*', event_type: 'poll_complete' },
      steps: [{ handler: 'http_callback', config: { listener_id: id, url: HOOK.url } }],
    })
    const answers = await Promise.all([
      put(chainUrl(id), chain),
      api.call({ method: 'DELETE', url: chainUrl(id) }),
      put(chainUrl('new'), chain),
    ])
    for (const answer of answers) {
      expect(answer.statusCode).toBe(409)
      expect(answer.json<{ detail: string }>().detail).toContain('by changing the listener "')
    }
  })

  it('may choose its identity, once', async () => {
    expect(await create({ ...LISTENER, listener_id: 'shop' })).toMatchObject({
      listener_id: 'shop',
    })
    const again = await post(urlOf(), { ...LISTENER, listener_id: 'shop' })
    expect(again.statusCode).toBe(409)
    expect(again.json<{ detail: string }>().detail).toMatch(/already/)
  })

  it('does not stay when there is no room for its chain', async () => {
    const full = await startFixture({ store: {} })
    await using _full = full
    const put = full.store.chains.put
    full.store.chains.put = async () => {
      throw new Error('no room')
    }
    const answer = await full.call({ method: 'POST', url: urlOf(), payload: LISTENER })
    full.store.chains.put = put
    expect(answer.statusCode).toBe(500)
    expect((await full.store.listeners.list('acme')).items).toEqual([])
  })

  it('is taken as Mistral writes it', async () => {
    const created = await create({
      type: 'webhook',
      url: HOOK.url,
      headers: { 'X-Team': 'billing' },
      event_types: ['WORKFLOW_FAILED'],
    })
    expect(created).toMatchObject({
      name: `HTTP to ${HOOK.url}`,
      event_types: ['WORKFLOW_FAILED'],
      callback: { ...HOOK, headers: { 'X-Team': 'billing' } },
    })
  })

  it('is replaced: its secret, its state and what is sent as *** stay', async () => {
    const { listener_id: id, secret } = await create({
      ...LISTENER,
      callback: { ...HOOK, headers: { authorization: 'Bearer A' }, secret_headers: { 'x-s': 'B' } },
    })
    await post(urlOf(`/${id}/pause`))
    const read = (await get(urlOf(`/${id}`))).json<{ callback: object }>()
    expect(read.callback).toMatchObject({
      headers: { authorization: '***' },
      secret_headers: { 'x-s': '***' },
    })
    const replaced = await put(urlOf(`/${id}`), { ...read, name: 'New', event_types: ['a', 'b'] })
    expect(replaced.json()).toMatchObject({ name: 'New', state: 'paused', version: 3 })
    const { signing, callback } = await keptSecrets(id)
    expect(opened(signing[0]!.sealed, id)).toBe(secret)
    expect(opened(callback['headers.authorization']!, id)).toBe('Bearer A')
    expect(opened(callback['secret_headers.x-s']!, id)).toBe('B')
    expect((await get(chainUrl(id))).json()).toMatchObject({
      name: 'Listener: New',
      enabled: false,
      trigger: { event_type: ['a', 'b'] },
    })
  })

  it('does not send its secrets elsewhere: *** is refused with another destination, and where nothing is kept', async () => {
    const headers = { authorization: '***' }
    const none = await post(urlOf(), { callback: { ...HOOK, headers } })
    expect(none.json()).toMatchObject({
      status: 400,
      errors: [
        { path: 'callback.headers.authorization', message: expect.stringContaining('kept') },
      ],
    })
    const { listener_id: id } = await create({
      callback: { ...HOOK, headers: { authorization: 'Bearer A' } },
    })
    const moved = await put(urlOf(`/${id}`), {
      callback: { ...HOOK, url: 'https://evil.example.org/', headers },
    })
    expect(moved.json()).toMatchObject({
      status: 400,
      errors: [{ message: expect.stringContaining('sent again') }],
    })
    const sameOrigin = { ...HOOK, url: 'https://hooks.example.org/other', headers }
    expect((await put(urlOf(`/${id}`), { callback: sameOrigin })).statusCode).toBe(200)
  })

  it('is paused and resumed, as often as it is asked for; back from being disabled it begins anew', async () => {
    const { listener_id: id } = await create()
    for (const _ of [1, 2]) {
      expect((await post(urlOf(`/${id}/pause`))).json()).toMatchObject({ state: 'paused' })
    }
    expect((await get(chainUrl(id))).json()).toMatchObject({ enabled: false })
    await api.store.listeners.update('acme', id, ({ listener, secrets }) => ({
      listener: { ...listener, state: 'disabled', disabled_reason: 'it answered 410' },
      secrets,
    }))
    await api.store.deliveries.record('acme', [aDelivery(id, 'd', { outcome: 'refused' })])
    expect((await get(urlOf(`/${id}`))).json()).toMatchObject({
      state: 'disabled',
      disabled_reason: 'it answered 410',
      deliveries: { failed: 1, failing_since: AT, success_rate: 0 },
    })
    const resumed = (await post(urlOf(`/${id}/resume`))).json<object>()
    expect(resumed).toMatchObject({ state: 'active' })
    expect(resumed).not.toHaveProperty('disabled_reason')
    const read = (await get(urlOf(`/${id}`))).json<{ deliveries: object }>()
    expect(read.deliveries).not.toHaveProperty('failing_since')
    expect((await get(chainUrl(id))).json()).toMatchObject({ enabled: true })
  })

  it('gets a new secret, and signs with the old one too until its time is over', async () => {
    const { listener_id: id, secret } = await create()
    const rotated = (await post(urlOf(`/${id}/rotate-secret`))).json<Record<string, string>>()
    expect(rotated.secret).toMatch(/^whsec_/)
    expect(rotated.secret).not.toBe(secret)
    const hours = (Date.parse(rotated.old_secret_until!) - Date.now()) / 3_600_000
    expect(hours).toBeCloseTo(24, 1)
    expect(rotated.signing).toEqual([
      { scheme: 'hmac-sha256' },
      { scheme: 'hmac-sha256', until: rotated.old_secret_until },
    ])
    const kept = (await keptSecrets(id)).signing.map(({ sealed }) => opened(sealed, id))
    expect(kept).toEqual([rotated.secret, secret])

    await post(urlOf(`/${id}/rotate-secret`), { old_secret_hours: 0, signature: 'ed25519' })
    expect((await keptSecrets(id)).signing).toMatchObject([{ scheme: 'ed25519' }])
    expect((await post(urlOf('/none/rotate-secret'))).statusCode).toBe(404)
  })

  it('is deleted with its chain and its deliveries', async () => {
    const { listener_id: id } = await create()
    await api.store.deliveries.record('acme', [aDelivery(id, 'd')])
    const remove = () => api.call({ method: 'DELETE', url: urlOf(`/${id}`) })
    expect((await remove()).statusCode).toBe(204)
    expect((await remove()).statusCode).toBe(404)
    expect((await get(urlOf(`/${id}`))).statusCode).toBe(404)
    expect((await get(chainUrl(id))).statusCode).toBe(404)
    expect((await api.store.deliveries.list('acme', id, {})).items).toEqual([])
  })
})

it('gives the store no secret in clear', async () => {
  const written: unknown[] = []
  for (const port of [api.store.listeners, api.store.chains, api.store.deliveries]) {
    for (const [name, method] of Object.entries<(...args: never[]) => unknown>(port as never)) {
      Object.assign(port, {
        [name]: (...args: never[]) => {
          const given = args.map((arg) =>
            typeof arg === 'function'
              ? (kept: never) => {
                  const made: unknown = (arg as (kept: never) => unknown)(kept)
                  written.push(made)
                  return made
                }
              : arg,
          )
          written.push(given)
          return method(...(given as never[]))
        },
      })
    }
  }
  const http = { ...HOOK, headers: { cookie: 'PLAIN' }, secret_headers: { 'x-s': 'PLAIN' } }
  const amqp = {
    type: 'amqp',
    exchange: 'e',
    url: 'amqps://a.example',
    username: 'u',
    password: 'PLAIN',
  }
  const { listener_id: id, secret } = await create({ callback: http })
  await create({ callback: amqp })
  await put(urlOf(`/${id}`), { callback: { ...http, secret_headers: { 'x-s': 'PLAIN too' } } })
  const rotated = (await post(urlOf(`/${id}/rotate-secret`))).json<{ secret: string }>()
  const all = JSON.stringify(written)
  expect(all).toContain('sealed.1.')
  expect(all).toContain(HOOK.url)
  for (const plain of ['PLAIN', secret, rotated.secret]) expect(all).not.toContain(plain)
})

describe('what was cut short', () => {
  it.each([
    ['read', (id: string) => get(urlOf(`/${id}`))],
    ['listed', () => get(urlOf())],
    ['changed', (id: string) => post(urlOf(`/${id}/rotate-secret`))],
  ])('is mended when the listener is %s', async (_how, touch) => {
    const { listener_id: id } = await create()
    await api.store.chains.delete('acme', `listener-${id}`)
    expect((await touch(id)).statusCode).toBe(200)
    expect((await get(chainUrl(id))).json()).toMatchObject({ enabled: true })
  })

  it('of a deletion goes when the listener is asked for, or by deleting the chain', async () => {
    for (const clean of [
      (id: string) => get(urlOf(`/${id}`)),
      (id: string) => api.call({ method: 'DELETE', url: chainUrl(id) }),
    ]) {
      const { listener_id: id } = await create()
      await api.store.listeners.delete('acme', id)
      expect((await get(chainUrl(id))).statusCode).toBe(200)
      await clean(id)
      expect((await get(chainUrl(id))).statusCode).toBe(404)
    }
  })
})

describe('a listener is refused', () => {
  const http = (overrides: object) => ({ callback: { ...HOOK, ...overrides } })
  const amqp = (overrides: object) => ({
    callback: { type: 'amqp', exchange: 'shop', ...overrides },
  })

  it.each<[string, object, string, RegExp]>([
    ['for a URL inside', http({ url: 'https://127.0.0.1/' }), 'callback.url', /may not be reached/],
    ['for a URL without TLS', http({ url: 'http://example.org/' }), 'callback.url', /https/],
    [
      'for a template in its URL',
      http({ url: 'https://${{ event.x }}/' }),
      'callback.url',
      /visible|encode/,
    ],
    [
      'for credentials in a URL',
      http({ url: 'https://a:b@example.org/' }),
      'callback.url',
      /credentials/,
    ],
    [
      'for a header that is ours',
      http({ headers: { Host: 'x' } }),
      'callback.headers.Host',
      /reserved/,
    ],
    [
      'for a header with a line break',
      http({ headers: { a: 'b\r\nc: d' } }),
      'callback.headers.a',
      /visible/,
    ],
    [
      'for a header that is secret and not',
      http({ headers: { a: '1' }, secret_headers: { A: '2' } }),
      'callback.headers.A',
      /twice/,
    ],
    [
      'for the same header twice',
      http({ headers: { a: '1' }, secret_headers: { a: '2' } }),
      'callback.headers.A',
      /twice/,
    ],
    [
      'for an exchange of ours',
      amqp({ exchange: 'signalbox.events' }),
      'callback.exchange',
      /callbacks/,
    ],
    [
      'for the exchange of the bridge',
      amqp({ exchange: 'vumi' }),
      'callback.exchange',
      /callbacks/,
    ],
    [
      'for an exchange that is a template',
      amqp({ exchange: '${{ "x" }}' }),
      'callback.exchange',
      /template/,
    ],
    [
      'for an AMQP URL inside',
      amqp({ url: 'amqps://10.0.0.1' }),
      'callback.url',
      /may not be reached/,
    ],
    ['for HTTP as AMQP', amqp({ url: 'https://example.org' }), 'callback.url', /amqps/],
    ['for a condition that does not parse', { ...LISTENER, when: 'event.' }, 'when', /./],
    ['for a condition on results', { ...LISTENER, when: 'has(results.x)' }, 'when', /event only/],
    [
      'for a body that does not parse',
      http({ body: { a: ['${{ event. }}'] } }),
      'callback.body.a[0]',
      /./,
    ],
    ['for a field nobody knows', { ...LISTENER, wen: 'true' }, 'wen', /known/],
    ['for an unknown method', http({ method: 'GET' }), 'callback.method', /./],
  ])('%s', async (_why, payload, path, message) => {
    const answer = await post(urlOf(), payload)
    expect(answer.statusCode, answer.body).toBe(400)
    const { errors } = answer.json<{ errors: { path: string; message: string }[] }>()
    expect(errors[0]).toMatchObject({ path, message: expect.stringMatching(message) })
    expect((await api.store.listeners.list('acme')).items).toEqual([])
  })

  it('for a name that leads inside now', async () => {
    await using inside = await startFixture({
      resolve: async () => [{ address: '192.168.1.1', family: 4 }],
    })
    const answer = await inside.call({ method: 'POST', url: urlOf(), payload: LISTENER })
    expect(answer.json()).toMatchObject({ status: 400, code: 'SB_ADDRESS_REFUSED' })
    expect(answer.body).not.toContain('192.168')
  })

  it('unless the operator allows the address', async () => {
    await using open = await startFixture({
      callbackAddresses: { allow: ['127.0.0.0/8'], allowHttp: true },
    })
    const payload = { callback: { type: 'http', url: 'http://127.0.0.1:9000/' } }
    const answer = await open.call({ method: 'POST', url: urlOf(), payload })
    expect(answer.statusCode).toBe(201)
  })

  it('when the path and the body name different ones, and when it is not there', async () => {
    const { listener_id: id } = await create()
    expect((await put(urlOf(`/${id}`), { ...LISTENER, listener_id: 'x' })).statusCode).toBe(400)
    expect((await put(urlOf('/none'), LISTENER)).statusCode).toBe(404)
  })
})
