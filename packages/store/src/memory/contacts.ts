/** Contacts in memory. */
import { type Contact, uuidv7 } from '@signalbox/contracts'
import { tooMany } from '../conflicts.ts'
import { checkPage } from '../input.ts'
import { pageOf } from '../paging.ts'
import type { ContactStore } from '../ports.ts'
import { Accounts, type MemoryLifetime } from './accounts.ts'
import { SortedMap } from './sorted-map.ts'

class AddressBook {
  /** As JSON text: what comes out is always a copy. */
  readonly contacts = new SortedMap<string>()
  readonly keyByMsisdn = new Map<string, string>()

  find(contactKey: string | undefined): Contact | undefined {
    const text = contactKey === undefined ? undefined : this.contacts.get(contactKey)
    return text === undefined ? undefined : parse(text)
  }

  keep(contact: Contact): Contact {
    const text = JSON.stringify(contact)
    this.contacts.set(contact.contact_key, text)
    this.keyByMsisdn.set(contact.msisdn, contact.contact_key)
    return parse(text)
  }
}

export function createMemoryContacts(
  { maxContacts }: { maxContacts: number },
  { lifetime }: { lifetime: MemoryLifetime },
): ContactStore {
  const accounts = new Accounts(lifetime, () => new AddressBook())

  return {
    async upsert(accountKey, update) {
      const book = accounts.of(accountKey)
      const now = new Date().toISOString()
      const existing = book.find(book.keyByMsisdn.get(update.msisdn))
      if (!existing && book.contacts.size >= maxContacts) throw tooMany('contacts', maxContacts)
      const before = existing ?? emptyContact(update.msisdn, now)
      const contact = book.keep({
        ...before,
        ...(update.name === undefined ? {} : { name: update.name }),
        groups: [...new Set([...before.groups, ...(update.groups ?? [])])].sort(),
        extra: { ...before.extra, ...update.extra },
        updated_at: now,
      })
      return { contact, created: existing === undefined }
    },

    async get(accountKey, contactKey) {
      return accounts.of(accountKey).find(contactKey)
    },

    async findByMsisdn(accountKey, msisdn) {
      const book = accounts.of(accountKey)
      return book.find(book.keyByMsisdn.get(msisdn))
    },

    async setSubscription(accountKey, contactKey, campaign, state) {
      const book = accounts.of(accountKey)
      const before = book.find(contactKey)
      if (!before) return undefined
      const subscriptions = { ...before.subscriptions, [campaign]: state }
      return book.keep({ ...before, subscriptions, updated_at: new Date().toISOString() })
    },

    async list(accountKey, options) {
      const book = accounts.of(accountKey)
      const { limit, after } = checkPage('contacts', options)
      return pageOf('contacts', limit, book.contacts.entriesAfter(after, limit + 1), parse)
    },
  }
}

function emptyContact(msisdn: string, now: string): Contact {
  return {
    contact_key: uuidv7(),
    msisdn,
    groups: [],
    subscriptions: {},
    extra: {},
    created_at: now,
    updated_at: now,
  }
}

function parse(text: string): Contact {
  return JSON.parse(text) as Contact
}
