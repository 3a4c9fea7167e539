/** What documents and API keys promise on every engine. */
import type { ApiKey } from '@signalbox/contracts'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Store } from '../../src/index.ts'
import { AT, anyJson, type Engine, freshAccount, HARD_JSON, readAll } from '../fixtures.ts'

export function describeDocuments(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  it('returns a document as it was put, with its revision', async () => {
    const account = freshAccount()
    expect(await store.documents.put(account, 'polls', 'p', HARD_JSON)).toEqual({
      value: HARD_JSON,
      revision: 1,
    })
    expect(await store.documents.get(account, 'polls', 'p')).toEqual({
      value: HARD_JSON,
      revision: 1,
    })
    expect(await store.documents.put(account, 'polls', 'p', null)).toEqual({
      value: null,
      revision: 2,
    })
    expect(await store.documents.get(account, 'polls', 'p')).toEqual({ value: null, revision: 2 })
  })

  it('keeps any JSON, exactly', async () => {
    const account = freshAccount()
    const keeps = fc.asyncProperty(anyJson(), async (value) => {
      await store.documents.put(account, 'any', 'key', value)
      const kept = await store.documents.get(account, 'any', 'key')
      expect(JSON.stringify(kept?.value)).toBe(JSON.stringify(value))
    })
    await fc.assert(keeps, { numRuns: 2 * engine.runs })
  })

  it('keeps apart accounts, collections and keys', async () => {
    const [account, other] = [freshAccount(), freshAccount()]
    await store.documents.put(account, 'a', 'b:c', 1)
    expect(await store.documents.get(other, 'a', 'b:c')).toBeUndefined()
    expect(await store.documents.get(account, 'a:b', 'c')).toBeUndefined()
    expect(await store.documents.get(account, 'a', 'b')).toBeUndefined()
    expect((await store.documents.list(account, 'other')).items).toEqual([])
  })

  it('refuses a revision that does not hold and keeps what is there', async () => {
    const account = freshAccount()
    const put = (value: string, expectedRevision?: number) =>
      store.documents.put(
        account,
        'polls',
        'p',
        value,
        expectedRevision === undefined ? {} : { expectedRevision },
      )
    await expect(put('none yet', 1)).rejects.toMatchObject({ code: 'SB_CONFLICT' })
    await put('first', 0)
    await expect(put('again', 0)).rejects.toThrow(/polls p: expected none to exist/)
    await put('second', 1)
    await expect(put('late', 1)).rejects.toThrow(/expected revision 1, but it is at revision 2/)
    expect(await put('whatever')).toEqual({ value: 'whatever', revision: 3 })
  })

  it('lets one of many parallel savers of the same revision win', async () => {
    const account = freshAccount()
    const attempts = Array.from({ length: 50 }, (_, index) =>
      store.documents.put(account, 'polls', 'p', index, { expectedRevision: 0 }),
    )
    const outcomes = await Promise.allSettled(attempts)
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await store.documents.get(account, 'polls', 'p')).toMatchObject({ revision: 1 })
  })

  it('forgets a deleted document and counts from 1 again', async () => {
    const account = freshAccount()
    await store.documents.put(account, 'polls', 'p', 1)
    expect(await store.documents.delete(account, 'polls', 'p')).toBe(true)
    expect(await store.documents.delete(account, 'polls', 'p')).toBe(false)
    expect(await store.documents.get(account, 'polls', 'p')).toBeUndefined()
    expect((await store.documents.list(account, 'polls')).items).toEqual([])
    expect(await store.documents.put(account, 'polls', 'p', 2)).toMatchObject({ revision: 1 })
  })

  it('deletes a document at the expected revision only', async () => {
    const account = freshAccount()
    await store.documents.put(account, 'polls', 'p', 1)
    await store.documents.put(account, 'polls', 'p', 2)
    const remove = (expectedRevision: number) =>
      store.documents.delete(account, 'polls', 'p', { expectedRevision })
    await expect(remove(1)).rejects.toMatchObject({ code: 'SB_CONFLICT' })
    expect(await store.documents.get(account, 'polls', 'p')).toMatchObject({ value: 2 })
    expect(await remove(2)).toBe(true)
    expect(await remove(2)).toBe(false)
    expect((await store.documents.list(account, 'polls')).items).toEqual([])
  })

  it('fills its pages with what is there, not with what was deleted', async () => {
    const account = freshAccount()
    for (const key of ['a', 'b', 'c']) await store.documents.put(account, 'few', key, key)
    for (const key of ['a', 'b']) await store.documents.delete(account, 'few', key)
    const page = await store.documents.list(account, 'few', { limit: 1 })
    expect(page).toEqual({ items: [{ key: 'c', value: 'c', revision: 1 }] })
  })

  it('lists in the order of the UTF-8 bytes of the keys', async () => {
    const account = freshAccount()
    const keys = ['b', 'a', 'é', 'a\u0000', '\u{1f981}', '\uffee', 'B', 'ab']
    for (const key of keys) await store.documents.put(account, 'words', key, key)
    const { items } = await readAll((options) => store.documents.list(account, 'words', options), 3)
    const byBytes = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(items.map(({ key }) => key)).toEqual(byBytes)
    expect(items.map(({ value }) => value)).toEqual(byBytes)
  })

  it('pages 2,500 documents without loss or repetition, whatever is added before the page', async () => {
    const account = freshAccount()
    const keys = Array.from({ length: 2_500 }, (_, index) => `k${String(index).padStart(4, '0')}`)
    await Promise.all(keys.map((key) => store.documents.put(account, 'many', key, key)))
    const first = await store.documents.list(account, 'many', { limit: 1_000 })
    await store.documents.put(account, 'many', 'a-new-first', 1)
    const rest = await readAll((options) =>
      store.documents.list(account, 'many', { cursor: first.next!, ...options, limit: 1_000 }),
    )
    expect([...first.items, ...rest.items].map(({ key }) => key)).toEqual(keys)
  })

  it('has no next page when the last one is exactly full', async () => {
    const account = freshAccount()
    for (const key of ['a', 'b']) await store.documents.put(account, 'two', key, 1)
    expect(await store.documents.list(account, 'two', { limit: 2 })).not.toHaveProperty('next')
  })

  it('refuses the cursor of another listing', async () => {
    const account = freshAccount()
    for (const key of ['a', 'b']) await store.documents.put(account, 'one', key, 1)
    const { next } = await store.documents.list(account, 'one', { limit: 1 })
    await expect(store.documents.list(account, 'other', { cursor: next! })).rejects.toMatchObject({
      code: 'SB_INVALID_INPUT',
      details: [{ path: 'cursor' }],
    })
  })
}

export function describeApiKeys(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  const keyNamed = (key_id: string): ApiKey => ({
    key_id,
    name: `Key ${key_id}`,
    scopes: ['publish', 'read'],
    created_at: AT,
  })

  it('finds a key with the hash of its secret, in its own account only', async () => {
    const [account, other] = [freshAccount(), freshAccount()]
    await store.apiKeys.create(account, keyNamed('k1'), 'hash-1')
    expect(await store.apiKeys.find(account, 'k1')).toEqual({
      key: keyNamed('k1'),
      secretHash: 'hash-1',
    })
    expect(await store.apiKeys.find(other, 'k1')).toBeUndefined()
    expect(await store.apiKeys.delete(other, 'k1')).toBe(false)
  })

  it('lists the keys without the hashes, by key_id, until they are deleted', async () => {
    const account = freshAccount()
    for (const id of ['k2', 'k1']) await store.apiKeys.create(account, keyNamed(id), 'hash')
    expect(await store.apiKeys.list(account)).toEqual([keyNamed('k1'), keyNamed('k2')])
    expect(await store.apiKeys.delete(account, 'k1')).toBe(true)
    expect(await store.apiKeys.delete(account, 'k1')).toBe(false)
    expect(await store.apiKeys.find(account, 'k1')).toBeUndefined()
    expect(await store.apiKeys.list(account)).toEqual([keyNamed('k2')])
  })
}
