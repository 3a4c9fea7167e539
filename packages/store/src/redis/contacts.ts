/**
 * Contacts in Redis: a hash each, in which everything that is merged has a field of its own, so that a script merges by setting fields.
 *
 * | field                                      | value              |
 * | ------------------------------------------ | ------------------ |
 * | `msisdn` `name` `created_at` `updated_at`  | itself             |
 * | `group <name>`                             | empty              |
 * | `subscription <campaign>`                  | the state          |
 * | `extra <field name as JSON>`               | the value as JSON  |
 */
import { type Contact, type Json, uuidv7 } from '@signalbox/contracts'
import { tooMany } from '../conflicts.ts'
import { checkPage } from '../input.ts'
import { pageOf } from '../paging.ts'
import type { ContactStore, ContactUpdate } from '../ports.ts'
import type { RedisConnection } from './connection.ts'
import type { Keys } from './keys.ts'
import { lowerEnd, pairsOf } from './page-script.ts'

/**
 * KEYS: msisdn to contact_key, contact keys in order, the contact. ARGV: msisdn, contact_key, now, the most contacts, then fields and
 * values. When another contact has the number already, nothing is done and its key is returned: the caller comes again with that.
 * An empty key: it would be one too many.
 */
const UPSERT = `
local owner = redis.call('HGET', KEYS[1], ARGV[1])
if owner and owner ~= ARGV[2] then return { owner } end
if not owner and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return { '' } end
local created = redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
if created == 1 then
  redis.call('ZADD', KEYS[2], 0, ARGV[2])
  redis.call('HSET', KEYS[3], 'msisdn', ARGV[1], 'created_at', ARGV[3])
end
redis.call('HSET', KEYS[3], 'updated_at', ARGV[3])
for i = 5, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
return { ARGV[2], created, redis.call('HGETALL', KEYS[3]) }
`

/** ARGV: field, state, now. */
const SET_SUBSCRIPTION = `
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], 'updated_at', ARGV[3])
end
return redis.call('HGETALL', KEYS[1])
`

export function createRedisContacts(
  { maxContacts }: { maxContacts: number },
  deps: { connection: RedisConnection; keys: Keys },
): ContactStore {
  const { connection, keys } = deps
  const upsert = connection.script<[string] | [string, number, string[]]>(
    'contactUpsert',
    3,
    UPSERT,
  )
  const setSubscription = connection.script<string[]>('contactSetSubscription', 1, SET_SUBSCRIPTION)
  const read = async (accountKey: string, contactKey: string) => {
    const key = keys.contact(accountKey, contactKey)
    return contactOf(
      contactKey,
      Object.entries(await connection.run((redis) => redis.hgetall(key))),
    )
  }

  return {
    async upsert(accountKey, update) {
      const { byMsisdn, contactKeys } = keys.contacts(accountKey)
      const fields = fieldsOf(update)
      let contactKey: string = uuidv7()
      for (;;) {
        const now = new Date().toISOString()
        const args = [update.msisdn, contactKey, now, maxContacts, ...fields]
        const contact = keys.contact(accountKey, contactKey)
        const [owner, created, flat] = await upsert([byMsisdn, contactKeys, contact], args)
        const kept = flat && contactOf(owner, pairsOf(flat))
        if (kept) return { contact: kept, created: created === 1 }
        if (owner === '') throw tooMany('contacts', maxContacts)
        contactKey = owner
      }
    },

    get: read,

    async findByMsisdn(accountKey, msisdn) {
      const { byMsisdn } = keys.contacts(accountKey)
      const contactKey = await connection.run((redis) => redis.hget(byMsisdn, msisdn))
      return contactKey === null ? undefined : read(accountKey, contactKey)
    },

    async setSubscription(accountKey, contactKey, campaign, state) {
      const args = [`subscription ${campaign}`, state, new Date().toISOString()]
      const flat = await setSubscription([keys.contact(accountKey, contactKey)], args)
      return contactOf(contactKey, pairsOf(flat))
    },

    async list(accountKey, options) {
      const { contactKeys } = keys.contacts(accountKey)
      const { limit, after } = checkPage('contacts', options)
      const found = await connection.run((redis) =>
        redis.zrangebylex(contactKeys, lowerEnd(after), '+', 'LIMIT', 0, limit + 1),
      )
      const rows = found.map((contactKey) => [contactKey, contactKey] as const)
      const { items, ...rest } = pageOf('contacts', limit, rows, (contactKey) => contactKey)
      const contacts = await Promise.all(items.map((contactKey) => read(accountKey, contactKey)))
      return { items: contacts.filter((contact) => contact !== undefined), ...rest }
    },
  }
}

function fieldsOf({ name, groups = [], extra = {} }: ContactUpdate): string[] {
  return [
    ...(name === undefined ? [] : ['name', name]),
    ...groups.flatMap((group) => [`group ${group}`, '']),
    ...Object.entries(extra).flatMap(([field, value]) => [
      `extra ${JSON.stringify(field)}`,
      JSON.stringify(value),
    ]),
  ]
}

/** Undefined: there is no such contact. */
function contactOf(contactKey: string, fields: readonly [string, string][]): Contact | undefined {
  if (fields.length === 0) return undefined
  const plain = new Map(fields)
  const named = (kind: string) =>
    fields
      .filter(([field]) => field.startsWith(`${kind} `))
      .map(([field, value]) => [field.slice(kind.length + 1), value] as const)
  const name = plain.get('name')
  return {
    contact_key: contactKey,
    msisdn: plain.get('msisdn') ?? '',
    ...(name === undefined ? {} : { name }),
    groups: named('group')
      .map(([group]) => group)
      .sort(),
    subscriptions: Object.fromEntries(named('subscription')) as Contact['subscriptions'],
    extra: Object.fromEntries(
      named('extra').map(([field, value]) => [
        JSON.parse(field) as string,
        JSON.parse(value) as Json,
      ]),
    ),
    created_at: plain.get('created_at') ?? '',
    updated_at: plain.get('updated_at') ?? '',
  }
}
