/** What the handler catalog promises on every engine. */
import type { HandlerDescription } from '@signalbox/contracts'
import { waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Store } from '../../src/index.ts'
import { type Engine, HARD_JSON } from '../fixtures.ts'

const MINUTE_MS = 60_000

let names = 0
function freshHandler(overrides: Partial<HandlerDescription> = {}): HandlerDescription {
  names += 1
  return {
    name: `handler-${String(names).padStart(3, '0')}`,
    description: 'Does something.',
    config_schema: { type: 'object', examples: [HARD_JSON] },
    fires: [],
    ...overrides,
  }
}

export function describeCatalog(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  const register = (handler: HandlerDescription, workerId: string, ttlMs = MINUTE_MS) =>
    store.catalog.register(handler, { workerId, ttlMs })

  it('shows a handler with its description and the workers that run it', async () => {
    const handler = freshHandler()
    await register(handler, 'w2')
    await register(handler, 'w1')
    const entry = await store.catalog.get(handler.name)
    expect(entry).toEqual({
      ...handler,
      workers: [
        { worker_id: 'w1', expires_at: expect.stringMatching(/Z$/) },
        { worker_id: 'w2', expires_at: expect.stringMatching(/Z$/) },
      ],
      registered_at: expect.stringMatching(/Z$/),
    })
    expect(await store.catalog.list()).toContainEqual(entry)
    expect(await store.catalog.get('unknown')).toBeUndefined()
  })

  it('takes the newest description and keeps when the handler was registered first', async () => {
    const handler = freshHandler()
    await register(handler, 'w1')
    const before = await store.catalog.get(handler.name)
    await waitFor(() => Date.now() > Date.parse(before?.registered_at ?? ''), {
      what: 'the clock to go on',
    })
    await register({ ...handler, description: 'Does more.' }, 'w1')
    expect(await store.catalog.get(handler.name)).toMatchObject({
      description: 'Does more.',
      registered_at: before?.registered_at,
      workers: [{ worker_id: 'w1' }],
    })
  })

  it('forgets a worker that does not register again, and keeps the handler', async () => {
    const handler = freshHandler()
    await register(handler, 'lasting')
    await register(handler, 'brief', 60)
    await waitFor(async () => (await store.catalog.get(handler.name))?.workers.length === 1, {
      what: 'the worker to expire',
    })
    expect((await store.catalog.get(handler.name))?.workers[0]?.worker_id).toBe('lasting')
    expect(await store.catalog.list()).toContainEqual(await store.catalog.get(handler.name))
  })

  it('lengthens the time of a worker that registers again', async () => {
    const handler = freshHandler()
    await register(handler, 'w1', 1_000)
    const before = (await store.catalog.get(handler.name))?.workers[0]?.expires_at ?? ''
    await register(handler, 'w1', MINUTE_MS)
    const after = (await store.catalog.get(handler.name))?.workers[0]?.expires_at ?? ''
    expect(Date.parse(after) - Date.parse(before)).toBeGreaterThan(30_000)
  })

  it('forgets a worker that unregisters from one handler, for that handler only', async () => {
    const [one, other] = [freshHandler(), freshHandler()]
    await register(one, 'w1')
    await register(other, 'w1')
    await store.catalog.unregister(one.name, 'w1')
    expect(await store.catalog.get(one.name)).toMatchObject({ workers: [] })
    expect(await store.catalog.get(other.name)).toMatchObject({ workers: [{ worker_id: 'w1' }] })
  })

  it('forgets a removed handler and its workers', async () => {
    const handler = freshHandler()
    await register(handler, 'w1')
    expect(await store.catalog.remove(handler.name)).toBe(true)
    expect(await store.catalog.remove(handler.name)).toBe(false)
    expect(await store.catalog.get(handler.name)).toBeUndefined()
    await register(handler, 'w2')
    expect(await store.catalog.get(handler.name)).toMatchObject({ workers: [{ worker_id: 'w2' }] })
  })

  it('lists handlers by name', async () => {
    const handlers = [freshHandler(), freshHandler(), freshHandler()]
    await Promise.all([...handlers].reverse().map((handler) => register(handler, 'w1')))
    const listed = (await store.catalog.list()).map(({ name }) => name)
    expect(listed).toEqual([...listed].sort())
    expect(listed).toEqual(expect.arrayContaining(handlers.map(({ name }) => name)))
  })
}
