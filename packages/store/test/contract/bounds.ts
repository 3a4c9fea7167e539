/** What every engine promises of what is refused, and not dropped, beyond its bound. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Store } from '../../src/index.ts'
import { AT, chainNamed, defaultChain, type Engine, freshAccount } from '../fixtures.ts'

const BOUND = 3
const TOO_MANY = { code: 'SB_TOO_MANY', retryable: false }

export function describeBounds(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open({
      maxChains: BOUND,
      maxContacts: BOUND,
      maxDocuments: BOUND,
      maxApiKeys: BOUND,
    })
  })
  afterAll(() => store.close())

  const names = ['a', 'b', 'c']
  const refused = (what: Promise<unknown>, kind: string) =>
    expect(what).rejects.toMatchObject({
      ...TOO_MANY,
      message: expect.stringContaining(`the account has ${BOUND} ${kind}`) as string,
    })

  it('refuses one chain too many, changes those that are there, and has room after a deletion', async () => {
    const account = freshAccount()
    for (const name of names) await store.chains.put(account, name, chainNamed(name))
    const revision = await store.chains.revision(account)
    await refused(store.chains.put(account, 'd', defaultChain()), 'chains')
    expect(await store.chains.revision(account)).toBe(revision)
    expect(await store.chains.put(account, 'a', defaultChain())).toMatchObject({ version: 2 })
    await store.chains.delete(account, 'b')
    await store.chains.put(account, 'd', chainNamed('d'))
    await store.chains.put(freshAccount(), 'd', chainNamed('d'))
  })

  it('refuses one contact too many, and updates those that are there', async () => {
    const account = freshAccount()
    for (const digit of [1, 2, 3]) await store.contacts.upsert(account, { msisdn: `+2782${digit}` })
    await refused(store.contacts.upsert(account, { msisdn: '+27824' }), 'contacts')
    expect(await store.contacts.findByMsisdn(account, '+27824')).toBeUndefined()
    const updated = await store.contacts.upsert(account, { msisdn: '+27821', name: 'Ada' })
    expect(updated).toMatchObject({ created: false, contact: { name: 'Ada' } })
    expect((await store.contacts.list(account)).items).toHaveLength(BOUND)
  })

  it('creates no more contacts than may be when many are created at once', async () => {
    const account = freshAccount()
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        store.contacts.upsert(account, { msisdn: `+2782${index}` }),
      ),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(BOUND)
  })

  it('refuses one document too many of a collection, and replaces those that are there', async () => {
    const account = freshAccount()
    const put = (key: string, options = {}) =>
      store.documents.put(account, 'polls', key, key, options)
    for (const name of names) await put(name)
    await refused(put('d'), 'documents in polls')
    await refused(put('d', { expectedRevision: 0 }), 'documents in polls')
    await expect(put('d', { expectedRevision: 7 })).rejects.toMatchObject({ code: 'SB_CONFLICT' })
    expect(await put('a', { expectedRevision: 1 })).toMatchObject({ revision: 2 })
    await store.documents.put(account, 'other', 'd', 1)
    await store.documents.delete(account, 'polls', 'b')
    expect(await put('d')).toMatchObject({ revision: 1 })
  })

  it('refuses one API key too many', async () => {
    const account = freshAccount()
    const create = (key_id: string) =>
      store.apiKeys.create(account, { key_id, name: 'k', scopes: ['read'], created_at: AT }, 'hash')
    for (const name of names) await create(name)
    await refused(create('d'), 'API keys')
    expect(await store.apiKeys.find(account, 'd')).toBeUndefined()
    await store.apiKeys.delete(account, 'a')
    await create('d')
  })
}
