/** Events as people write them: flags, a JSON file with one or an array of them, or a JSON object per line. */
import { type EventInput, eventInputSchema, type FieldError, uuidv7 } from '@signalbox/contracts'
import { fieldErrorsOf } from '@signalbox/kit'
import { InputError } from '../failure.ts'
import { UsageError } from '../usage-error.ts'

/** What a `POST` has to get: an event or a CloudEvent, with an identity, so that sending it again is no second event. */
export type OutgoingEvent = Record<string, unknown>

/** Told at once; there may be more. */
const MAX_FAULTS = 100

/** Throws `InputError` when it is neither. `name` is what it was read from. */
export function eventsOfText(text: string, name: string): unknown[] {
  const whole = tryParse(text)
  if ('value' in whole) return Array.isArray(whole.value) ? whole.value : [whole.value]
  const lines = text.split('\n').map((line, index) => ({ line, number: index + 1 }))
  const written = lines.filter(({ line }) => line.trim() !== '')
  if (written.length === 0) throw new InputError(`${name} is empty`)
  return written.map(({ line, number }, index) => {
    const one = tryParse(line)
    if ('value' in one) return one.value
    // n.b. JSON over several lines that is broken breaks in its first line when it is read line by line.
    throw new InputError(
      index === 0
        ? `${name} is neither JSON nor JSON lines: ${whole.fault}`
        : `${name}, line ${number} is not JSON: ${one.fault}`,
    )
  })
}

/** Checks every one before any is sent. Throws `InputError` with the faults of all. */
export function outgoingEvents(
  items: readonly unknown[],
  accountKey: string,
  name: string,
): OutgoingEvent[] {
  if (items.length === 0) throw new InputError(`${name} has no events`)
  const faults: FieldError[] = []
  for (const [index, item] of items.entries()) {
    const place = items.length === 1 ? '' : `[${index}]`
    for (const { path, message } of faultsOf(item, accountKey)) {
      const dot = place === '' || path === '' ? '' : '.'
      faults.push({ path: `${place}${dot}${path}`, message })
    }
    if (faults.length >= MAX_FAULTS) break
  }
  if (faults.length > 0) throw new InputError(`${name}: nothing was published`, faults)
  return (items as OutgoingEvent[]).map((event) =>
    isCloudEvent(event) ? event : { event_id: uuidv7(), ...event },
  )
}

/** What the flags say. Throws `UsageError` when `--data` is no JSON object. */
export function eventOfFlags(flags: {
  conversation: string
  'conversation-type': string
  'event-type': string
  person?: string | undefined
  'event-id'?: string | undefined
  timestamp?: string | undefined
  data: string
}): Omit<EventInput, 'account_key'> {
  const data = tryParse(flags.data)
  if (!('value' in data) || !isObject(data.value)) {
    throw new UsageError(`--data must be a JSON object such as '{"score": 7}'`)
  }
  return {
    ...(flags['event-id'] === undefined ? {} : { event_id: flags['event-id'] }),
    conversation_key: flags.conversation,
    conversation_type: flags['conversation-type'],
    event_type: flags['event-type'],
    ...(flags.person === undefined ? {} : { person_key: flags.person }),
    ...(flags.timestamp === undefined ? {} : { timestamp: flags.timestamp }),
    event_data: data.value as EventInput['event_data'],
  }
}

function faultsOf(item: unknown, accountKey: string): FieldError[] {
  if (!isObject(item)) return [{ path: '', message: 'is not a JSON object' }]
  // n.b. what a CloudEvent has to be the API says.
  if (isCloudEvent(item)) return []
  const outcome = eventInputSchema.safeParse({ account_key: accountKey, ...item })
  return outcome.success ? [] : fieldErrorsOf(outcome.error)
}

function isCloudEvent(item: object): boolean {
  return 'specversion' in item
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function tryParse(text: string): { value: unknown } | { fault: string } {
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    return { fault: (error as Error).message }
  }
}

/** The batches of one request each: so many events and bytes at most, in order. */
export function batchesOf(
  events: readonly OutgoingEvent[],
  { maxEvents, maxBytes }: { maxEvents: number; maxBytes: number },
): OutgoingEvent[][] {
  const batches: OutgoingEvent[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const event of events) {
    const size = Buffer.byteLength(JSON.stringify(event)) + 1
    const last = batches.at(-1)
    if (last && last.length < maxEvents && bytes + size <= maxBytes) {
      last.push(event)
      bytes += size
    } else {
      batches.push([event])
      bytes = size
    }
  }
  return batches
}
