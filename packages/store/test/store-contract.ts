/** What every engine promises: the suite that runs on each of them. */
import { describe, expect, it } from 'vitest'
import { describeBiographies } from './contract/biographies.ts'
import { describeBounds } from './contract/bounds.ts'
import { describeCatalog } from './contract/catalog.ts'
import { describeChains } from './contract/chains.ts'
import { describeChannels } from './contract/channels.ts'
import { describeContacts } from './contract/contacts.ts'
import { describeDeadLetters } from './contract/dead-letters.ts'
import { describeDeliveries } from './contract/deliveries.ts'
import { describeApiKeys, describeDocuments } from './contract/documents.ts'
import { describeListeners } from './contract/listeners.ts'
import { describePresence } from './contract/presence.ts'
import { describeProgress } from './contract/progress.ts'
import { describeInterest, describeRoster } from './contract/relaying.ts'
import { describeRevocations } from './contract/revocations.ts'
import { type Engine, freshAccount } from './fixtures.ts'

export function describeStore(engineName: string, engine: Engine): void {
  describe(`${engineName}: chains`, () => describeChains(engine))
  describe(`${engineName}: catalog`, () => describeCatalog(engine))
  describe(`${engineName}: contacts`, () => describeContacts(engine))
  describe(`${engineName}: channels`, () => describeChannels(engine))
  describe(`${engineName}: interest in channels`, () => describeInterest(engine))
  describe(`${engineName}: the roster of relays`, () => describeRoster(engine))
  describe(`${engineName}: API keys`, () => describeApiKeys(engine))
  describe(`${engineName}: revocations`, () => describeRevocations(engine))
  describe(`${engineName}: presence`, () => describePresence(engine))
  describe(`${engineName}: biographies`, () => describeBiographies(engine))
  describe(`${engineName}: dead letters`, () => describeDeadLetters(engine))
  describe(`${engineName}: listeners`, () => describeListeners(engine))
  describe(`${engineName}: deliveries`, () => describeDeliveries(engine))
  describe(`${engineName}: progress`, () => describeProgress(engine))
  describe(`${engineName}: documents`, () => describeDocuments(engine))

  describe(`${engineName}: bounds`, () => describeBounds(engine))

  describe(`${engineName}: the store`, () => {
    it('rejects every call after it was closed, and says why it is unavailable', async () => {
      const store = engine.open()
      await store.documents.put(freshAccount(), 'c', 'k', 1)
      expect(store.unavailableReason()).toBeUndefined()
      await store.close()
      await store.close()
      expect(store.unavailableReason()).toBe('the store is closed')
      const closed = { code: 'SB_STORE_UNAVAILABLE', retryable: true }
      const channel = { accountKey: 'acc', kind: 'person' as const, personKey: 'p' }
      await expect(store.documents.get('acc', 'c', 'k')).rejects.toMatchObject(closed)
      await expect(store.catalog.list()).rejects.toMatchObject(closed)
      await expect(store.chains.onChange(() => undefined)).rejects.toMatchObject(closed)
      await expect(store.channels.subscribe(channel, () => undefined)).rejects.toMatchObject(closed)
      await expect(store.channels.open(channel)).rejects.toMatchObject(closed)
      await expect(store.channels.forget(channel)).rejects.toMatchObject(closed)
      await expect(
        store.channels.append([{ channel, id: 'a', payload: '' }]),
      ).rejects.toMatchObject(closed)
    })

    it('refuses a bound that is not a positive integer, and names it', () => {
      expect(() => engine.open({ maxBiographies: 0 })).toThrow(/maxBiographies/)
      expect(() => engine.open({ channelTtlMs: Number.NaN })).toThrow(/channelTtlMs/)
    })
  })
}
