import { silentLog } from '@signalbox/kit'
import { leaseRedis, waitFor } from '@signalbox/testkit'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { openRedisStore, type Store } from '../../src/index.ts'
import {
  aDelivery,
  aListener,
  chainNamed,
  deadLetter,
  defaultChain,
  matched,
  received,
  step,
} from '../fixtures.ts'

const lease = await leaseRedis()
const redis = new Redis(lease.redisUrl)
const store = openRedisStore({
  url: lease.redisUrl,
  namespace: lease.namespace,
  log: silentLog,
  bounds: { maxProgress: 1 },
})
afterAll(async () => {
  await store.close()
  redis.disconnect()
  await lease.release()
})

/** One call of every method that writes, and of every method that reads. */
async function useEverything({ chains, catalog, contacts, channels, ...rest }: Store) {
  const { apiKeys, biographies, deadLetters, deliveries, documents, listeners, ...more } = rest
  const { progress, revocations, presence } = more
  await chains.put('acc', 'a', chainNamed('a'))
  await chains.put('acc', 'b', defaultChain())
  await chains.delete('acc', 'a')
  await chains.get('acc', 'b')
  await chains.list('acc')
  await chains.revision('acc')
  await chains.changesSince('acc', 0)
  const handler = { name: 'log', description: '', config_schema: {}, fires: [] }
  await catalog.register(handler, { workerId: 'w', ttlMs: 60_000 })
  await catalog.list()
  await catalog.get('log')
  await catalog.unregister('log', 'w')
  await catalog.remove('log')
  await catalog.register(handler, { workerId: 'w', ttlMs: 60_000 })
  const { contact } = await contacts.upsert('acc', { msisdn: '+27820001111', groups: ['g'] })
  await contacts.upsert('acc', { msisdn: '+27820001111', extra: { x: 1 } })
  await contacts.setSubscription('acc', contact.contact_key, 'spring', 'subscribed')
  await contacts.findByMsisdn('acc', '+27820001111')
  await contacts.list('acc')
  const channel = { accountKey: 'acc', kind: 'person' as const, personKey: 'p}1{' }
  await channels.append([{ channel, id: 'e', payload: '{}', state: { key: 'k', value: '1' } }])
  await channels.open(channel, { afterOffset: 0, limit: 10, states: true })
  await channels.open(channel, { limit: 10 })
  await channels.forget({ accountKey: 'acc', kind: 'account' })
  const scopes: ['read'] = ['read']
  await apiKeys.create('acc', { key_id: 'k', name: 'K', scopes, created_at: '' }, 'hash')
  await apiKeys.find('acc', 'k')
  await apiKeys.list('acc')
  await revocations.revoke('acc', { jti: 't' }, 60_000)
  await revocations.areRevoked('acc', [{ jti: 't', personKey: 'p' }])
  const present = { connections: 1, subscriptions: 0, persons: [] }
  await presence.report('edge', new Map([['acc', present]]), 60_000)
  await presence.read('acc')
  await biographies.record([
    { accountKey: 'acc', eventId: 'e', facts: [received('e'), matched('r')] },
  ])
  await biographies.get('acc', 'e')
  await biographies.list('acc', {})
  await biographies.forgotten('acc')
  const letter = deadLetter('acc', 'd')
  await deadLetters.keep(letter)
  await deadLetters.keep({ ...letter, at: new Date().toISOString() })
  await deadLetters.get('acc', 'd')
  await deadLetters.list('acc', {})
  await deadLetters.groups('acc', {})
  await deadLetters.forgotten('acc')
  await listeners.delete('acc', 'l')
  await listeners.create('acc', aListener('l'), { signing: [], callback: {} })
  await listeners.update('acc', 'l', (kept) => ({ ...kept }))
  await listeners.list('acc')
  await deliveries.forget('acc', 'l')
  await deliveries.record('acc', [aDelivery('d', { listener_id: 'l' })])
  await deliveries.get('acc', 'l', 'd')
  await deliveries.list('acc', 'l', {})
  await deliveries.ofEvent('acc', 'event')
  await deliveries.counts('acc', 'l')
  await deliveries.clearFailing('acc', 'l')
  await progress.begin('acc', 'e', 'w', 1)
  await progress.finish('acc', 'e', 'w', 2, [step('r', 's')])
  await progress.finish('acc', 'f', 'w', 2)
  await progress.begin('acc', 'e', 'w', 3)
  await progress.complete('acc', 'e', 'v', 2)
  await progress.outcome('acc', 'e', 'w')
  await progress.forgotten('acc')
  await documents.put('acc', 'polls', 'p', 1)
  await documents.get('acc', 'polls', 'p')
  await documents.list('acc', 'polls')
  await documents.delete('acc', 'polls', 'p')
  await documents.put('acc', 'polls', 'p', 2)
}

describe('on a Redis Cluster', () => {
  it('every script would touch only keys that it was given, all of one slot', async () => {
    const commands: { args: string[]; isInScript: boolean }[] = []
    const monitor = await redis.monitor()
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      commands.push({ args, isInScript: source === 'lua' })
    })
    await useEverything(store)
    await redis.echo(`end of ${lease.namespace}`)
    await waitFor(() => commands.some(({ args }) => args[1] === `end of ${lease.namespace}`), {
      what: 'the last command to be seen',
    })
    monitor.disconnect()

    const isOurs = (text: string) => text.startsWith(`${lease.namespace}:`)
    const scripts = new Set<string>()
    let given: string[] = []
    for (const { args, isInScript } of commands) {
      const [command = '', ...rest] = args
      if (/^eval(sha)?$/i.test(command)) {
        given = rest.slice(2, 2 + Number(rest[1]))
        if (!given.every(isOurs)) continue
        scripts.add(rest[0]!)
        const tags = given.map((key) => /\{([^}]+)\}/.exec(key)?.[1])
        expect(new Set(tags).size, given.join(' ')).toBe(1)
      } else if (isInScript && command.toUpperCase() !== 'PUBLISH') {
        const touched = rest.filter(isOurs)
        expect(given, args.join(' ')).toEqual(expect.arrayContaining(touched))
      }
    }
    expect(scripts.size).toBeGreaterThanOrEqual(15)
  })

  it('every key has the hash tag of its account, or that of everybody', async () => {
    await useEverything(store)
    const found: string[] = []
    for await (const page of redis.scanStream({ match: `*${lease.namespace}*`, count: 1_000 })) {
      found.push(...(page as string[]))
    }
    expect(found.length).toBeGreaterThanOrEqual(19)
    const tagged = new RegExp(`^${lease.namespace}:\\{(acc|\\*)\\}:[a-z-]+`)
    expect(found.filter((key) => !tagged.test(key))).toEqual([])
  })

  it('keys that fall silent have a time to live', async () => {
    await useEverything(store)
    const found: string[] = []
    for await (const page of redis.scanStream({ match: `${lease.namespace}:*`, count: 1_000 })) {
      found.push(...(page as string[]))
    }
    const transient = found.filter((key) =>
      /:(channel-|biography:|dead-letter:|event-deliveries:|progress:|progress-events|revocations|presence)/.test(
        key,
      ),
    )
    const lives = await Promise.all(transient.map((key) => redis.pttl(key)))
    expect(transient).toHaveLength(14)
    expect(lives.every((ms) => ms > 0)).toBe(true)
  })

  it('subscribes once to a channel, however many listen, and leaves it with the last', async () => {
    const channel = { accountKey: 'acc', kind: 'person' as const, personKey: 'watched' }
    const name = `${lease.namespace}:{acc}:channel:person:watched`
    const subscribers = async () => (await redis.pubsub('NUMSUB', name))[1]
    const ends = await Promise.all(
      Array.from({ length: 20 }, () => store.channels.subscribe(channel, () => undefined)),
    )
    expect(await subscribers()).toBe(1)
    for (const end of ends.slice(1)) await end()
    expect(await subscribers()).toBe(1)
    await ends[0]!()
    expect(await subscribers()).toBe(0)
  })
})
