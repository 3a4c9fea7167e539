/** What chains promise on every engine. */
import type { Chain, StoredChain } from '@signalbox/contracts'
import { waitFor } from '@signalbox/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { catchUp, type Store } from '../../src/index.ts'
import {
  anyJson,
  chainNamed,
  defaultChain,
  type Engine,
  freshAccount,
  HARD_JSON,
  readAll,
} from '../fixtures.ts'

export function describeChains(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  it('returns a chain as it was saved, with its identity, version and time', async () => {
    const account = freshAccount()
    const chain = chainNamed('Poll', {
      steps: [{ id: 's', handler: 'log', config: { hard: HARD_JSON }, on_error: 'stop' }],
    })
    const saved = await store.chains.put(account, 'poll', chain)
    expect(saved).toEqual({
      ...chain,
      chain_id: 'poll',
      version: 1,
      updated_at: expect.stringMatching(/^\d{4}-.*Z$/),
    })
    expect(await store.chains.get(account, 'poll')).toEqual(saved)
    expect((await store.chains.list(account)).items).toEqual([saved])
    expect((await store.chains.changesSince(account, 0)).changed).toEqual([saved])
  })

  it('keeps any JSON in a step config', async () => {
    const account = freshAccount()
    const keepsConfig = fc.asyncProperty(anyJson(), async (value) => {
      const steps: Chain['steps'] = [
        { id: 's', handler: 'log', config: { value }, on_error: 'stop' },
      ]
      await store.chains.put(account, 'c', chainNamed('C', { steps }))
      const chain = await store.chains.get(account, 'c')
      expect(chain?.steps[0]?.config).toEqual({ value })
    })
    await fc.assert(keepsConfig, { numRuns: engine.runs })
  })

  it('counts the version at each save, and from 1 again after a deletion', async () => {
    const account = freshAccount()
    await store.chains.put(account, 'c', chainNamed('one'))
    expect(await store.chains.put(account, 'c', chainNamed('two'))).toMatchObject({
      name: 'two',
      version: 2,
    })
    expect(await store.chains.delete(account, 'c')).toBe(true)
    expect(await store.chains.get(account, 'c')).toBeUndefined()
    expect(await store.chains.delete(account, 'c')).toBe(false)
    expect(await store.chains.put(account, 'c', chainNamed('three'))).toMatchObject({ version: 1 })
  })

  it('keeps what it has when a caller changes what it was given', async () => {
    const account = freshAccount()
    const chain = chainNamed('kept')
    const saved = await store.chains.put(account, 'c', chain)
    chain.name = 'changed'
    saved.name = 'changed'
    expect((await store.chains.get(account, 'c'))?.name).toBe('kept')
  })

  it('shows an account only its own chains', async () => {
    const [one, other] = [freshAccount(), freshAccount()]
    await store.chains.put(one, 'c', defaultChain())
    expect(await store.chains.get(other, 'c')).toBeUndefined()
    expect((await store.chains.list(other)).items).toEqual([])
    expect(await store.chains.revision(other)).toBe(0)
    expect(await store.chains.put(other, 'd', defaultChain())).toMatchObject({ chain_id: 'd' })
  })

  it('refuses a second enabled default chain and names the first', async () => {
    const account = freshAccount()
    await store.chains.put(account, 'first', defaultChain())
    await expect(store.chains.put(account, 'second', defaultChain())).rejects.toMatchObject({
      code: 'SB_CONFLICT',
      message: expect.stringContaining('first'),
    })
    expect(await store.chains.get(account, 'second')).toBeUndefined()
    expect(await store.chains.revision(account)).toBe(1)
  })

  it('lets the default chain be saved again, and a disabled one stand beside it', async () => {
    const account = freshAccount()
    await store.chains.put(account, 'first', defaultChain())
    await store.chains.put(account, 'first', defaultChain({ name: 'again' }))
    await store.chains.put(account, 'second', defaultChain({ enabled: false }))
    expect((await store.chains.list(account)).items).toHaveLength(2)
  })

  it.each([
    [
      'is disabled',
      (account: string) => store.chains.put(account, 'c', defaultChain({ enabled: false })),
    ],
    ['gets another trigger', (account: string) => store.chains.put(account, 'c', chainNamed('x'))],
    ['is deleted', (account: string) => store.chains.delete(account, 'c')],
  ])('lets another chain become the default after the first %s', async (_how, giveUp) => {
    const account = freshAccount()
    await store.chains.put(account, 'c', defaultChain())
    await giveUp(account)
    expect(await store.chains.put(account, 'd', defaultChain())).toMatchObject({ version: 1 })
    await expect(store.chains.put(account, 'c', defaultChain())).rejects.toThrow(/d is the default/)
  })

  it('lets one of many parallel default chains win', async () => {
    const account = freshAccount()
    const attempts = Array.from({ length: 50 }, (_, index) =>
      store.chains.put(account, `c${index}`, defaultChain()),
    )
    const outcomes = await Promise.allSettled(attempts)
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect((await store.chains.list(account)).items).toHaveLength(1)
  })

  it('pages 2,500 chains by chain_id and their changes by revision, without loss or repetition', async () => {
    const account = freshAccount()
    const ids = Array.from({ length: 2_500 }, (_, index) => `c${(index * 7_919) % 2_500}`)
    await Promise.all(ids.map((id) => store.chains.put(account, id, chainNamed(id))))
    expect(await store.chains.revision(account)).toBe(2_500)

    const { items, pages } = await readAll((options) => store.chains.list(account, options), 1_000)
    expect(items.map(({ chain_id }) => chain_id)).toEqual([...ids].sort())
    expect(pages).toBe(3)

    const first = await store.chains.changesSince(account, 0)
    expect(first).toMatchObject({ revision: 1_000, more: true, deleted: [] })
    const second = await store.chains.changesSince(account, first.revision)
    const third = await store.chains.changesSince(account, second.revision)
    expect(third).toMatchObject({ revision: 2_500, more: false })
    const changes = [first, second, third].flatMap(({ changed }) => changed)
    expect(changes.map(({ chain_id }) => chain_id)).toEqual(ids)
  })

  it('tells the latest state of each changed chain, oldest change first', async () => {
    const account = freshAccount()
    await store.chains.put(account, 'a', chainNamed('a1'))
    await store.chains.put(account, 'b', chainNamed('b1'))
    await store.chains.put(account, 'c', chainNamed('c1'))
    const { revision } = await store.chains.changesSince(account, 0)
    await store.chains.put(account, 'a', chainNamed('a2'))
    await store.chains.delete(account, 'b')

    const all = await store.chains.changesSince(account, 0)
    expect(all.changed.map(({ name }) => name)).toEqual(['c1', 'a2'])
    expect(all).toMatchObject({ revision: 5, deleted: ['b'], more: false })
    const rest = await store.chains.changesSince(account, revision)
    expect(rest.changed.map(({ name }) => name)).toEqual(['a2'])
    expect(rest).toMatchObject({ revision: 5, deleted: ['b'], more: false })
    expect(await store.chains.changesSince(account, 5)).toEqual({
      revision: 5,
      changed: [],
      deleted: [],
      more: false,
    })
  })

  it('tells a reader to start over when it forgot deletions that the reader does not know', async () => {
    await using small = engine.open({ maxDeletedChains: 2 })
    const account = freshAccount()
    for (const id of ['a', 'b', 'c', 'd']) await small.chains.put(account, id, chainNamed(id))
    for (const id of ['a', 'b', 'c']) await small.chains.delete(account, id)
    expect(await small.chains.changesSince(account, 4)).toEqual({
      revision: 7,
      changed: [],
      deleted: [],
      more: false,
      restart: true,
    })
    expect(await small.chains.changesSince(account, 5)).toMatchObject({ deleted: ['b', 'c'] })
    expect(await small.chains.changesSince(account, 0)).toMatchObject({
      changed: [{ chain_id: 'd' }],
    })
  })

  it('still tells a new reader of a chain that was deleted and saved again', async () => {
    await using small = engine.open({ maxDeletedChains: 2 })
    const account = freshAccount()
    await small.chains.put(account, 'a', chainNamed('a'))
    await small.chains.delete(account, 'a')
    await small.chains.put(account, 'a', chainNamed('a'))
    for (const id of ['b', 'c', 'd']) {
      await small.chains.put(account, id, chainNamed(id))
      await small.chains.delete(account, id)
    }
    expect(await small.chains.changesSince(account, 0)).toMatchObject({
      changed: [{ chain_id: 'a' }],
      deleted: ['c', 'd'],
    })
  })

  it('tells a reader that is ahead of it to start over', async () => {
    const account = freshAccount()
    await store.chains.put(account, 'a', chainNamed('a'))
    expect(await store.chains.changesSince(account, 9)).toMatchObject({
      revision: 1,
      restart: true,
    })
  })

  it('leads readers to the picture that a listing gives, however changes and readings interleave', async () => {
    await using small = engine.open({ maxDeletedChains: 3 })
    const chainId = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')
    const action = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), chainId }),
      fc.record({ kind: fc.constant('delete' as const), chainId }),
      fc.record({ kind: fc.constant('read' as const), pageSize: fc.integer({ min: 1, max: 4 }) }),
    )
    const agrees = fc.asyncProperty(
      fc.array(fc.array(action, { maxLength: 6 }), { maxLength: 12 }),
      async (rounds) => {
        const account = freshAccount()
        const picture = new Map<string, StoredChain>()
        const reader = {
          upsert: (chain: StoredChain) => void picture.set(chain.chain_id, chain),
          remove: (id: string) => void picture.delete(id),
          clear: () => picture.clear(),
        }
        let revision = 0
        for (const round of rounds) {
          const pageSizes = round.flatMap((each) => (each.kind === 'read' ? [each.pageSize] : []))
          const writes = round.map(async (each) => {
            if (each.kind === 'put') await small.chains.put(account, each.chainId, chainNamed('x'))
            if (each.kind === 'delete') await small.chains.delete(account, each.chainId)
          })
          for (const pageSize of pageSizes) {
            revision = await catchUp(small.chains, account, revision, reader, { pageSize })
          }
          await Promise.all(writes)
        }
        revision = await catchUp(small.chains, account, revision, reader, { pageSize: 2 })
        const { items } = await readAll((options) => small.chains.list(account, options), 3)
        const seen = [...picture.values()].sort((a, b) => (a.chain_id < b.chain_id ? -1 : 1))
        expect(seen).toEqual(items)
        expect(revision).toBe(await small.chains.revision(account))
      },
    )
    await fc.assert(agrees, { numRuns: engine.runs })
  })

  it('tells listeners which account changed, until they unsubscribe', async () => {
    const account = freshAccount()
    const heard: string[] = []
    const proof: string[] = []
    const unsubscribe = await store.chains.onChange((accountKey) => heard.push(accountKey))
    const unsubscribeProof = await store.chains.onChange((accountKey) => proof.push(accountKey))
    await store.chains.put(account, 'c', chainNamed('c'))
    await store.chains.delete(account, 'c')
    await waitFor(() => heard.length === 2, { what: 'both changes to be told' })
    expect(heard).toEqual([account, account])

    await unsubscribe()
    await unsubscribe()
    await store.chains.put(account, 'c', chainNamed('c'))
    await waitFor(() => proof.length === 3, { what: 'the third change to be told' })
    expect(heard).toHaveLength(2)
    await unsubscribeProof()
  })

  it.each<[string, () => Promise<unknown>]>([
    ['limit', () => store.chains.list('acc', { limit: 0 })],
    ['limit', () => store.chains.list('acc', { limit: 1_001 })],
    ['limit', () => store.chains.changesSince('acc', 0, 1.5)],
    ['cursor', () => store.chains.list('acc', { cursor: 'nonsense' })],
    ['revision', () => store.chains.changesSince('acc', -1)],
    ['revision', () => store.chains.changesSince('acc', Number.NaN)],
    ['account_key', () => store.chains.get('a}b', 'c')],
    ['account_key', () => store.chains.revision('')],
  ])('refuses a bad %s and names it', async (name, call) => {
    await expect(call()).rejects.toMatchObject({
      code: 'SB_INVALID_INPUT',
      details: [{ path: name }],
    })
  })
}
