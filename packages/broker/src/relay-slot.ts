/** Relay slots: which changes stay in order among one another when several edges relay. */
import { crc32 } from 'node:zlib'
import type { VumiApiEvent } from '@signalbox/contracts'

/** Fixed for ever: a slot is a promise between publishers and relays of any version. */
export const RELAY_SLOTS = 16

/** In it the slot is text, `0` to `15`: to RabbitMQ a number of another width is another value. */
export const SLOT_HEADER = 'signalbox-slot'

/** The same for all events of a person; of what is about nobody, for those of a conversation. */
export function relaySlotOf(
  event: Pick<VumiApiEvent, 'account_key' | 'conversation_key' | 'person_key'>,
): number {
  const { account_key, conversation_key, person_key } = event
  const key =
    person_key === undefined
      ? `${account_key}//${conversation_key}`
      : `${account_key}/${person_key}`
  return crc32(key) % RELAY_SLOTS
}

/** The slots of a partition, when there are so many of them. */
export function slotsOf(partition: number, partitions: number): number[] {
  return Array.from({ length: RELAY_SLOTS }, (_, slot) => slot).filter(
    (slot) => slot % partitions === partition,
  )
}
