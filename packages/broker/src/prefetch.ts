/** How many deliveries a consumer may have in hand. */
import { InvalidInputError } from '@signalbox/kit'
import type { ConsumeOptions } from './port.ts'

/** Enough to keep a handler busy while acknowledgements travel, few enough that another consumer gets its share. */
const DEFAULT_PREFETCH = 64

/** AMQP has 16 bits for it, and 0 would mean no bound. */
const MAX_PREFETCH = 65_535

export function prefetchOf({ prefetch = DEFAULT_PREFETCH }: ConsumeOptions): number {
  if (Number.isInteger(prefetch) && prefetch >= 1 && prefetch <= MAX_PREFETCH) return prefetch
  throw new InvalidInputError(`prefetch must be 1 to ${MAX_PREFETCH}, not ${prefetch}`)
}
