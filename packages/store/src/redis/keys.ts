/**
 * Every Redis key and pub/sub channel, named here and nowhere else; README.md shows them as a table, a test holds the two together.
 *
 * The account is the hash tag, so all keys of an account share a slot of a Redis Cluster and a script may touch several of them. What
 * belongs to no account has the tag `*`, which no account key can be. What users chose (a person, a document's key) stands last.
 */
import { ConfigError } from '@signalbox/kit'
import { channelName } from '../channel-name.ts'
import { checkAccountKey } from '../input.ts'
import type { Channel } from '../ports.ts'

export type Keys = ReturnType<typeof createKeys>

/** Throws `ConfigError` for a namespace that would move the hash tag. */
export function createKeys(namespace: string) {
  if (!/^[^{}\s]+$/.test(namespace)) {
    throw new ConfigError('the namespace must not be empty nor contain braces or spaces', {
      details: [{ path: 'namespace', message: 'must not be empty nor contain braces or spaces' }],
    })
  }
  const everybody = `${namespace}:{*}`
  const account = (accountKey: string) => `${namespace}:{${checkAccountKey(accountKey)}}`

  return {
    catalog: {
      descriptions: `${everybody}:handlers`,
      registeredAt: `${everybody}:handlers-registered-at`,
      workers: `${everybody}:handler-workers`,
    },
    /** Written to see whether a Redis that refused a write takes them again. */
    writeProbe: `${everybody}:write-probe`,
    /** Pub/sub: the account key of each change. */
    chainsChanged: `${everybody}:chains-changed`,
    chains: (accountKey: string) => ({
      chains: `${account(accountKey)}:chains`,
      ids: `${account(accountKey)}:chain-ids`,
      changes: `${account(accountKey)}:chain-changes`,
      deleted: `${account(accountKey)}:chains-deleted`,
      state: `${account(accountKey)}:chain-state`,
    }),
    contacts: (accountKey: string) => ({
      byMsisdn: `${account(accountKey)}:contact-by-msisdn`,
      contactKeys: `${account(accountKey)}:contact-keys`,
    }),
    contact: (accountKey: string, contactKey: string) =>
      `${account(accountKey)}:contact:${contactKey}`,
    channel: (channel: Channel) => {
      const [prefix, name] = [account(channel.accountKey), channelName(channel)]
      return {
        log: `${prefix}:channel-log:${name}`,
        ids: `${prefix}:channel-ids:${name}`,
        end: `${prefix}:channel-end:${name}`,
        states: `${prefix}:channel-states:${name}`,
        stateOrder: `${prefix}:channel-state-order:${name}`,
      }
    },
    /** Pub/sub: each message of the channel. */
    channelMessages: (channel: Channel) =>
      `${account(channel.accountKey)}:channel:${channelName(channel)}`,
    /** Of all accounts together: a relay asks for many at once. */
    interest: {
      marks: `${everybody}:channel-interest`,
      confirmed: `${everybody}:channel-interest-confirmed`,
    },
    relays: { goneAt: `${everybody}:relays`, since: `${everybody}:relays-since` },
    apiKeys: (accountKey: string) => `${account(accountKey)}:api-keys`,
    /** Pub/sub: each revocation. */
    revoked: `${everybody}:revoked`,
    revocations: (accountKey: string) => ({
      marks: `${account(accountKey)}:revocations`,
      lapses: `${account(accountKey)}:revocations-lapse`,
    }),
    presence: (accountKey: string) => ({
      edges: `${account(accountKey)}:presence`,
      lapses: `${account(accountKey)}:presence-lapses`,
    }),
    biographies: (accountKey: string) => ({
      events: `${account(accountKey)}:events`,
      forgotten: `${account(accountKey)}:events-forgotten`,
    }),
    biography: (accountKey: string, eventId: string) =>
      `${account(accountKey)}:biography:${eventId}`,
    deadLetters: (accountKey: string) => ({
      letters: `${account(accountKey)}:dead-letters`,
      summaries: `${account(accountKey)}:dead-letter-summaries`,
      forgotten: `${account(accountKey)}:dead-letters-forgotten`,
    }),
    deadLetterBody: (accountKey: string, deadLetterId: string) =>
      `${account(accountKey)}:dead-letter:${deadLetterId}`,
    /** Pub/sub: `<account> <listener_id>` of each change. */
    listenersChanged: `${everybody}:listeners-changed`,
    listeners: (accountKey: string) => ({
      listeners: `${account(accountKey)}:listeners`,
      ids: `${account(accountKey)}:listener-ids`,
    }),
    deliveries: (accountKey: string, listenerId: string) => ({
      index: `${account(accountKey)}:deliveries:${listenerId}`,
      records: `${account(accountKey)}:delivery-records:${listenerId}`,
      forgotten: `${account(accountKey)}:deliveries-forgotten:${listenerId}`,
      counts: `${account(accountKey)}:delivery-counts:${listenerId}`,
    }),
    eventDeliveries: (accountKey: string, eventId: string) =>
      `${account(accountKey)}:event-deliveries:${eventId}`,
    progressOf: (accountKey: string) => ({
      events: `${account(accountKey)}:progress-events`,
      forgotten: `${account(accountKey)}:progress-forgotten`,
    }),
    progress: (accountKey: string, eventId: string) => `${account(accountKey)}:progress:${eventId}`,
    documents: (accountKey: string, collection: string) => ({
      documents: `${account(accountKey)}:documents:${collection}`,
      documentKeys: `${account(accountKey)}:document-keys:${collection}`,
    }),
  }
}
