import { chainSchema } from '@signalbox/contracts'
import { silentLog } from '@signalbox/kit'
import { type ChainStore, createMemoryStore } from '@signalbox/store'
import { afterEach, describe, expect, it } from 'vitest'
import { type ChainCache, createChainCache } from '../src/chain-cache.ts'

const ACCOUNT = 'acme'
const chain = chainSchema.parse({
  name: 'A chain',
  trigger: { conversation_type: 'poll', event_type: 'poll_complete' },
  steps: [{ id: 'a', handler: 'log' }],
})

let cache: ChainCache
afterEach(() => cache[Symbol.asyncDispose]())

describe('the chain cache', () => {
  it('reads only what changed since it looked last', async () => {
    const { chains } = createMemoryStore()
    const asked: number[] = []
    cache = await createChainCache(
      faulty(chains, {
        changesSince: (account, revision, limit) => {
          asked.push(revision)
          return chains.changesSince(account, revision, limit)
        },
      }),
      silentLog,
    )
    await chains.put(ACCOUNT, 'one', chain)
    expect((await cache.current(ACCOUNT)).size).toBe(1)
    expect((await cache.current(ACCOUNT)).size).toBe(1)
    await chains.put(ACCOUNT, 'two', chain)
    expect((await cache.current(ACCOUNT)).size).toBe(2)
    expect(asked).toEqual([0, 1])
  })

  it('shares one look-up among the events of one turn, and asks anew for the next', async () => {
    const { chains } = createMemoryStore()
    let lookUps = 0
    cache = await createChainCache(
      faulty(chains, {
        revision: (account) => {
          lookUps++
          return chains.revision(account)
        },
      }),
      silentLog,
    )
    await Promise.all([cache.current(ACCOUNT), cache.current(ACCOUNT), cache.current(ACCOUNT)])
    expect(lookUps).toBe(1)
    await cache.current(ACCOUNT)
    expect(lookUps).toBe(2)
  })

  it('starts over when the store has lost data and counts again from the beginning', async () => {
    let { chains } = createMemoryStore()
    cache = await createChainCache(
      following(() => chains),
      silentLog,
    )
    for (const id of ['one', 'two', 'three']) await chains.put(ACCOUNT, id, chain)
    expect((await cache.current(ACCOUNT)).size).toBe(3)
    chains = createMemoryStore().chains
    await chains.put(ACCOUNT, 'after', chain)
    expect((await cache.current(ACCOUNT)).size).toBe(1)
  })

  it('rejects when the store cannot be asked, though it knows an older picture', async () => {
    const { chains } = createMemoryStore()
    let isAway = false
    cache = await createChainCache(
      faulty(chains, {
        revision: async (account) => {
          if (isAway) throw new Error('away')
          return chains.revision(account)
        },
      }),
      silentLog,
    )
    await chains.put(ACCOUNT, 'one', chain)
    await cache.current(ACCOUNT)
    isAway = true
    await expect(cache.current(ACCOUNT)).rejects.toThrow('away')
  })
})

type Followed = Pick<ChainStore, 'revision' | 'changesSince' | 'list' | 'onChange'>

function faulty(chains: ChainStore, faults: Partial<Followed>): Followed {
  return { ...following(() => chains), ...faults }
}

/** Whatever store `current` names at the moment. No push ever arrives. */
function following(current: () => ChainStore): Followed {
  return {
    revision: (account) => current().revision(account),
    changesSince: (account, revision, limit) => current().changesSince(account, revision, limit),
    list: (account, options) => current().list(account, options),
    onChange: async () => async () => {},
  }
}
