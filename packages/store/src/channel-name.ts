/** What a channel is called within its account. */
import type { Channel } from './ports.ts'

/** `person:<person_key>` or `account`: different for different channels of one account. */
export function channelName(channel: Channel): string {
  return channel.kind === 'person' ? `person:${channel.personKey}` : channel.kind
}
