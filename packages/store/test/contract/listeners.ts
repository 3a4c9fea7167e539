/** What listeners promise on every engine, and that their chains follow them. */
import { chainOfListener, listenerChainIdOf } from '@signalbox/contracts'
import { waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ListenerSecrets, mendListenerChain, type Store } from '../../src/index.ts'
import { AT, aListener, chainNamed, type Engine, freshAccount, readAll } from '../fixtures.ts'

const SECRETS: ListenerSecrets = {
  signing: [
    { sealed: 'sealed.1.new', scheme: 'ed25519', public_key: 'whpk_new' },
    { sealed: 'sealed.1.old', scheme: 'hmac-sha256', until: AT },
  ],
  callback: { 'headers.authorization': 'sealed.1.header' },
}

export function describeListeners(engine: Engine): void {
  let store: Store
  beforeAll(() => {
    store = engine.open()
  })
  afterAll(() => store.close())

  it('keeps a listener with its sealed secrets, in its own account only', async () => {
    const [account, other] = [freshAccount(), freshAccount()]
    const kept = { listener: aListener('a'), secrets: SECRETS }
    expect(await store.listeners.create(account, kept.listener, SECRETS)).toEqual(kept)
    expect(await store.listeners.get(account, 'a')).toEqual(kept)
    expect(await store.listeners.get(other, 'a')).toBeUndefined()
    expect(await store.listeners.delete(other, 'a')).toBe(false)
  })

  it('refuses a second one of the same identity, and one too many', async () => {
    await using small = engine.open({ maxListeners: 2 })
    const account = freshAccount()
    await small.listeners.create(account, aListener('a'), SECRETS)
    await expect(small.listeners.create(account, aListener('a'), SECRETS)).rejects.toThrow(
      'there is a listener "a" already',
    )
    await small.listeners.create(account, aListener('b'), SECRETS)
    await expect(small.listeners.create(account, aListener('c'), SECRETS)).rejects.toMatchObject({
      code: 'SB_TOO_MANY',
    })
    await small.listeners.delete(account, 'a')
    await small.listeners.create(account, aListener('c'), SECRETS)
    expect((await small.listeners.list(account)).items.map((kept) => kept.listener.name)).toEqual([
      'Listener b',
      'Listener c',
    ])
  })

  it('counts its versions, and lets each of many who change it at once see what the one before left', async () => {
    const account = freshAccount()
    await store.listeners.create(account, aListener('a', { name: '' }), SECRETS)
    const changes = Array.from({ length: 10 }, () =>
      store.listeners.update(account, 'a', ({ listener: found, secrets }) => ({
        listener: { ...found, name: `${found.name}x` },
        secrets,
      })),
    )
    await Promise.all(changes)
    expect((await store.listeners.get(account, 'a'))?.listener).toMatchObject({
      name: 'x'.repeat(10),
      version: 11,
    })
  })

  it('leaves it as it is when the change refuses it or returns it, and knows none that is not there', async () => {
    const account = freshAccount()
    await store.listeners.create(account, aListener('a'), SECRETS)
    const refused = store.listeners.update(account, 'a', () => {
      throw new Error('not this one')
    })
    await expect(refused).rejects.toThrow('not this one')
    expect(await store.listeners.update(account, 'a', (kept) => kept)).toMatchObject({
      listener: { version: 1 },
    })
    expect(await store.listeners.update(account, 'b', (kept) => kept)).toBeUndefined()
  })

  it('lists by listener_id, in pages', async () => {
    const account = freshAccount()
    for (const id of ['c', 'a', 'e', 'b', 'd']) {
      await store.listeners.create(account, aListener(id), SECRETS)
    }
    const { items, pages } = await readAll((options) => store.listeners.list(account, options), 2)
    expect(items.map((kept) => kept.listener.listener_id)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(pages).toBe(3)
  })

  it('tells of every change, until it is asked no more', async () => {
    const account = freshAccount()
    const heard: string[] = []
    const end = await store.listeners.onChange(({ accountKey, listenerId }) => {
      if (accountKey === account) heard.push(listenerId)
    })
    await store.listeners.create(account, aListener('a'), SECRETS)
    await store.listeners.update(account, 'a', (kept) => ({ ...kept }))
    await store.listeners.delete(account, 'a')
    await waitFor(() => heard.length === 3, { what: 'three changes' })
    expect(heard).toEqual(['a', 'a', 'a'])
    await end()
  })

  it('mends the chain of a listener: it is made, follows a change, and goes when the listener goes', async () => {
    const account = freshAccount()
    const mend = () => mendListenerChain(store, account, 'a')
    const chainOf = () => store.chains.get(account, listenerChainIdOf('a'))
    expect(await mend()).toBeUndefined()

    const { listener: created } = await store.listeners.create(account, aListener('a'), SECRETS)
    expect((await mend())?.listener).toEqual(created)
    expect(await chainOf()).toMatchObject({ ...chainOfListener(created), version: 1 })
    await mend()
    expect(await chainOf()).toMatchObject({ version: 1 })

    await store.listeners.update(account, 'a', ({ listener: found, secrets }) => ({
      listener: { ...found, state: 'paused' },
      secrets,
    }))
    await mend()
    expect(await chainOf()).toMatchObject({ enabled: false, version: 2 })

    await store.listeners.delete(account, 'a')
    await mend()
    expect(await chainOf()).toBeUndefined()
  })

  it('leaves the chain of the last change when several change a listener at once', async () => {
    const account = freshAccount()
    await store.listeners.create(account, aListener('a'), SECRETS)
    const changes = Array.from({ length: 8 }, async (_, index) => {
      await store.listeners.update(account, 'a', ({ listener: found, secrets }) => ({
        listener: { ...found, name: `change ${index}` },
        secrets,
      }))
      await mendListenerChain(store, account, 'a')
    })
    await Promise.all(changes)
    const kept = await store.listeners.get(account, 'a')
    expect(await store.chains.get(account, listenerChainIdOf('a'))).toMatchObject(
      chainOfListener(kept!.listener),
    )
  })

  it('leaves a chain alone that only has the name of one that belongs to a listener', async () => {
    const account = freshAccount()
    await store.chains.put(account, listenerChainIdOf('a'), chainNamed('mine'))
    await mendListenerChain(store, account, 'a')
    expect(await store.chains.get(account, listenerChainIdOf('a'))).toMatchObject({ name: 'mine' })
  })
}
