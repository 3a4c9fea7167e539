/**
 * From the body of `POST /events` to complete events: one, an array, or CloudEvents. All or nothing: the first bad event
 * refuses them all, and every fault is named with the event's index.
 */
import {
  CLOUD_EVENT_MEDIA_TYPE,
  cloudEventSchema,
  completeEvent,
  type EventInput,
  eventFromCloudEvent,
  eventInputSchema,
  type FieldError,
  LIMITS,
  nameSchema,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { InvalidInputError, parseInput, summarise } from '@signalbox/kit'
import { z } from 'zod'
import { below } from './fault-paths.ts'

export const CLOUD_EVENT_BATCH_MEDIA_TYPE = 'application/cloudevents-batch+json'

/** Faults shown in one answer; there may be more. */
const MAX_FAULTS = 100

const publishedEventSchema = eventInputSchema
  .extend({
    account_key: nameSchema.optional().meta({ description: 'When sent, that of the path.' }),
    caused_by: z.never('is set by Signalbox alone; leave it out').optional(),
    replay_of: z.never('is set by Signalbox alone; leave it out').optional(),
  })
  .meta({ id: 'PublishedEvent', description: 'What is absent is generated.' })

const itemSchema = z.union([publishedEventSchema, cloudEventSchema])

/** For the document: what a body may be. `readEvents` decides which of them it is. */
export const eventBodySchema = z.union([
  itemSchema,
  z.array(itemSchema).min(1).max(LIMITS.maxEventsPerRequest),
])

export interface EventBody {
  body: unknown
  /** Without parameters. */
  mediaType: string
  accountKey: string
}

/** Throws `InvalidInputError`: `SB_TOO_LARGE` when every event is valid but some are too long to be sent. */
export function readEvents({ body, mediaType, accountKey }: EventBody): VumiApiEvent[] {
  const isBatch = Array.isArray(body)
  const items: readonly unknown[] = isBatch ? body : [body]
  const isCloudEvents =
    mediaType === CLOUD_EVENT_MEDIA_TYPE || mediaType === CLOUD_EVENT_BATCH_MEDIA_TYPE
  if (isCloudEvents && isBatch !== (mediaType === CLOUD_EVENT_BATCH_MEDIA_TYPE)) {
    throw new InvalidInputError(`${mediaType} is ${isBatch ? 'one event' : 'an array of events'}`)
  }
  if (items.length === 0 || items.length > LIMITS.maxEventsPerRequest) {
    throw new InvalidInputError(
      `${items.length} events were sent; 1 to ${LIMITS.maxEventsPerRequest} may be`,
    )
  }

  const pathOf = (index: number) => (isBatch ? `[${index}]` : '')
  const events: VumiApiEvent[] = []
  const faults: FieldError[] = []
  for (const [index, item] of items.entries()) {
    try {
      const input =
        isCloudEvents || isCloudEvent(item)
          ? readCloudEvent(item, accountKey)
          : readEvent(item, accountKey)
      events.push(completeEvent(input))
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error
      faults.push(...error.details.map((fault) => below(pathOf(index), fault)))
      if (faults.length >= MAX_FAULTS) break
    }
  }
  refuse(faults, 'SB_INVALID_INPUT')
  refuse(
    events.flatMap((event, index) => sizeFaults(event, pathOf(index))),
    'SB_TOO_LARGE',
  )
  return events
}

function readEvent(item: unknown, accountKey: string): EventInput {
  const {
    caused_by: _causedBy,
    replay_of: _replayOf,
    ...event
  } = parseInput(publishedEventSchema, item, 'the event')
  if (event.account_key !== undefined && event.account_key !== accountKey) {
    const message = `is "${event.account_key}", and the path says "${accountKey}"`
    throw new InvalidInputError(message, { details: [{ path: 'account_key', message }] })
  }
  return { ...event, account_key: accountKey }
}

function isCloudEvent(item: unknown): boolean {
  return typeof item === 'object' && item !== null && 'specversion' in item
}

/** Where a field of the event came from, when it was not called so. */
const CLOUD_EVENT_FIELDS: Readonly<Record<string, string>> = {
  event_id: 'id',
  conversation_key: 'source',
  timestamp: 'time',
}

function readCloudEvent(item: unknown, accountKey: string): EventInput {
  const cloudEvent = parseInput(cloudEventSchema, item, 'the CloudEvent')
  try {
    return parseInput(eventInputSchema, eventFromCloudEvent(accountKey, cloudEvent), 'the event')
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error
    const details = error.details.map(({ path, message }) => ({
      path: CLOUD_EVENT_FIELDS[path] ?? path,
      message: `makes a ${path} that ${message}`,
    }))
    throw new InvalidInputError(summarise(details), { details, cause: error })
  }
}

function sizeFaults(event: VumiApiEvent, path: string): FieldError[] {
  const bytes = Buffer.byteLength(JSON.stringify(event))
  if (bytes <= LIMITS.maxMessageBytes) return []
  return [{ path, message: `has ${bytes} bytes; an event may have ${LIMITS.maxMessageBytes}` }]
}

function refuse(faults: FieldError[], code: 'SB_INVALID_INPUT' | 'SB_TOO_LARGE'): void {
  if (faults.length === 0) return
  const details = faults.slice(0, MAX_FAULTS)
  throw new InvalidInputError(`nothing was published: ${summarise(details)}`, { code, details })
}
