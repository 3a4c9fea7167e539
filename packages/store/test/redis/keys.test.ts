import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Channel } from '../../src/index.ts'
import { createKeys } from '../../src/redis/keys.ts'

const README = new URL('../../README.md', import.meta.url)

const keys = createKeys('<namespace>')

const personOf = (accountKey: string, personKey: string) => ({
  accountKey,
  kind: 'person' as const,
  personKey,
})
/** One whose name reads as the README writes it. */
const channelOf = (accountKey: string): Channel => ({ accountKey, kind: '<channel>' }) as never

/** Every key and channel there is, for one account and one of each thing that it has. */
function everyKey(accountKey: string): { ofEverybody: string[]; ofAccount: string[] } {
  return {
    ofEverybody: [
      ...Object.values(keys.catalog),
      keys.writeProbe,
      keys.chainsChanged,
      keys.listenersChanged,
      ...Object.values(keys.interest),
      ...Object.values(keys.relays),
      keys.revoked,
    ],
    ofAccount: [
      ...Object.values(keys.chains(accountKey)),
      ...Object.values(keys.contacts(accountKey)),
      keys.contact(accountKey, '<contact_key>'),
      ...Object.values(keys.channel(channelOf(accountKey))),
      keys.channelMessages(channelOf(accountKey)),
      keys.apiKeys(accountKey),
      ...Object.values(keys.revocations(accountKey)),
      ...Object.values(keys.presence(accountKey)),
      ...Object.values(keys.biographies(accountKey)),
      keys.biography(accountKey, '<event_id>'),
      ...Object.values(keys.deadLetters(accountKey)),
      keys.deadLetterBody(accountKey, '<dead_letter_id>'),
      ...Object.values(keys.listeners(accountKey)),
      ...Object.values(keys.deliveries(accountKey, '<listener_id>')),
      keys.eventDeliveries(accountKey, '<event_id>'),
      ...Object.values(keys.progressOf(accountKey)),
      keys.progress(accountKey, '<event_id>'),
      ...Object.values(keys.documents(accountKey, '<collection>')),
    ],
  }
}

/** What decides the slot of a Redis Cluster. Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags */
function hashTagOf(key: string): string | undefined {
  return /^[^{]*\{([^}]+)\}/.exec(key)?.[1]
}

describe('Redis keys', () => {
  it('are those of the table in the README, both ways', () => {
    const table = [...readFileSync(README, 'utf8').matchAll(/^\| `([^`]+)` +\|/gm)]
    const documented = table.map(([, key]) => key).sort()
    const { ofEverybody, ofAccount } = everyKey('account')
    const built = ofAccount.map((key) => key.replace('{account}', '{<account>}'))
    expect(documented).toEqual([...ofEverybody, ...built].sort())
  })

  it('are covered by this test, function by function', () => {
    expect(Object.keys(keys).sort()).toEqual([
      'apiKeys',
      'biographies',
      'biography',
      'catalog',
      'chains',
      'chainsChanged',
      'channel',
      'channelMessages',
      'contact',
      'contacts',
      'deadLetterBody',
      'deadLetters',
      'deliveries',
      'documents',
      'eventDeliveries',
      'interest',
      'listeners',
      'listenersChanged',
      'presence',
      'progress',
      'progressOf',
      'relays',
      'revocations',
      'revoked',
      'writeProbe',
    ])
  })

  it('share the slot of their account, and those of everybody a slot of their own', () => {
    const { ofEverybody, ofAccount } = everyKey('acc-1')
    expect(new Set(ofAccount.map(hashTagOf))).toEqual(new Set(['acc-1']))
    expect(new Set(ofEverybody.map(hashTagOf))).toEqual(new Set(['*']))
  })

  it('keep their slot whatever users call things', () => {
    const names = ['{b}', '}{', '{', ':{acc-2}:']
    for (const name of names) {
      expect(hashTagOf(keys.channelMessages(personOf('acc-1', name)))).toBe('acc-1')
      expect(hashTagOf(keys.documents('acc-1', name).documents)).toBe('acc-1')
    }
  })

  it('never coincide for different things', () => {
    const { ofEverybody, ofAccount } = everyKey('acc-1')
    const accountChannel = { accountKey: 'acc-1', kind: 'account' as const }
    const all = [
      ...ofEverybody,
      ...ofAccount,
      ...everyKey('acc-2').ofAccount,
      ...Object.values(keys.channel(accountChannel)),
      ...Object.values(keys.channel(personOf('acc-1', 'account'))),
    ]
    expect(new Set(all).size).toBe(all.length)
  })

  it.each(['*', 'a}b', 'a b', 'a:b', ''])('are refused for the account key "%s"', (accountKey) => {
    expect(() => keys.apiKeys(accountKey)).toThrow(/account_key must be/)
  })

  it.each(['', 'a{b', 'a}', 'a b'])('are refused for the namespace "%s"', (namespace) => {
    expect(() => createKeys(namespace)).toThrow(/namespace/)
  })
})
