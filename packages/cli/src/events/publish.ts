/** `signalbox events publish`: one event by flags, or those of a file. */
import {
  keySchema,
  LIMITS,
  messageIdSchema,
  nameSchema,
  timestampSchema,
} from '@signalbox/contracts'
import { backoffDelayMs, delay } from '@signalbox/kit'
import { z } from 'zod'
import type { Api } from '../api/api.ts'
import { understood } from '../api/api.ts'
import { apiCommand, type CommandContext } from '../api-command.ts'
import { EXIT } from '../exit-codes.ts'
import { UnreachableError } from '../failure.ts'
import { nameOfInput, readInput } from '../input-file.ts'
import { DURATION_FORM, durationMsOf } from '../loadtest/duration.ts'
import type { Output } from '../output.ts'
import { UsageError } from '../usage-error.ts'
import {
  batchesOf,
  eventOfFlags,
  eventsOfText,
  type OutgoingEvent,
  outgoingEvents,
} from './event-input.ts'

/** Half of what a request may have: most of it is the first event's to use. */
const MAX_BATCH_BYTES = 8 * 1024 * 1024
const MAX_WAIT_MS = 10 * 60_000

const USAGE = `Usage: signalbox events publish --conversation <key> --conversation-type <name> --event-type <name> [options]
   or: signalbox events publish -f <file> [options]

Publishes, and prints each event's identity when the broker has confirmed it.

One event
  --conversation <key>
  --conversation-type <name>
  --event-type <name>
  --data <json>           event_data, a JSON object (default {})
  --person <key>
  --event-id <id>         default: a new one
  --timestamp <time>      RFC 3339 in UTC, milliseconds; default now

One or many
  -f, --file <file>       an event, an array of them, or one per line, as JSON; CloudEvents too. - is stdin.
                          All are checked before the first is sent, in requests of up to ${LIMITS.maxEventsPerRequest} events; a request is
                          published as a whole or not at all.

  --wait <time>           how long to go on trying while Signalbox is away, 0s to 10m (default 10s); an event that arrives
                          twice is one event, because its identity is made here`

const NOTES = `Exit codes: 0 all confirmed, 2 the command line or the file is wrong, 3 refused, 4 Signalbox was away for longer than --wait.`

const waitSchema = z.string().transform((text, context) => {
  const ms = durationMsOf(text)
  if (ms !== undefined && ms <= MAX_WAIT_MS) return ms
  context.addIssue(`must be ${DURATION_FORM}, up to 10m`)
  return z.NEVER
})

const schema = z.object({
  conversation: keySchema.optional(),
  'conversation-type': nameSchema.optional(),
  'event-type': nameSchema.optional(),
  data: z.string().optional(),
  person: keySchema.optional(),
  'event-id': messageIdSchema.optional(),
  timestamp: timestampSchema.optional(),
  file: z.string().min(1).optional(),
  wait: waitSchema,
})
type Values = z.infer<typeof schema>

const REQUIRED = ['conversation', 'conversation-type', 'event-type'] as const
const FLAGS_OF_ONE = [...REQUIRED, 'data', 'person', 'event-id', 'timestamp'] as const

export const eventsPublish = apiCommand({
  name: 'events publish',
  usage: USAGE,
  notes: NOTES,
  options: {
    ...Object.fromEntries(FLAGS_OF_ONE.map((name) => [name, { type: 'string' } as const])),
    file: { type: 'string', short: 'f' },
    wait: { type: 'string', default: '10s' },
  },
  schema,
  async run({ values, connection, api, output, deps }) {
    const { items, name } = await itemsOf(values, deps)
    const events = outgoingEvents(items, connection.accountKey, name)
    const limits = { maxEvents: LIMITS.maxEventsPerRequest, maxBytes: MAX_BATCH_BYTES }
    let confirmed = 0
    try {
      for (const batch of batchesOf(events, limits)) {
        await publish(batch, { api, output, waitMs: values.wait, signal: deps.signal })
        confirmed += batch.length
      }
    } finally {
      if (events.length > 1) output.note(`${confirmed} of ${events.length} events published`)
    }
    return EXIT.done
  },
})

async function itemsOf(values: Values, deps: CommandContext<Values>['deps']) {
  const { file } = values
  if (file !== undefined) {
    const beside = FLAGS_OF_ONE.find((flag) => values[flag] !== undefined)
    if (beside) throw new UsageError(`--${beside} does not go with --file`)
    const name = nameOfInput(file)
    return { items: eventsOfText(await readInput(file, deps), name), name }
  }
  const { conversation, 'conversation-type': type, 'event-type': eventType } = values
  if (conversation === undefined || type === undefined || eventType === undefined) {
    const missing = REQUIRED.filter((flag) => values[flag] === undefined)
    throw new UsageError(
      `--${missing.join(' and --')} ${missing.length === 1 ? 'is' : 'are'} needed, or --file`,
    )
  }
  const event = eventOfFlags({
    ...values,
    conversation,
    'conversation-type': type,
    'event-type': eventType,
    data: values.data ?? '{}',
  })
  return { items: [event], name: 'the event' }
}

const answerSchema = z.looseObject({ event_ids: z.array(z.string()) })

interface PublishDeps {
  api: Pick<Api, 'send'>
  output: Output
  waitMs: number
  signal: AbortSignal
}

async function publish(
  batch: readonly OutgoingEvent[],
  { api, output, waitMs, signal }: PublishDeps,
): Promise<void> {
  const body = batch.length === 1 ? batch[0] : batch
  const deadline = performance.now() + waitMs
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await api.send({ path: '/events', method: 'POST', body })
      const { event_ids } = understood(answerSchema, answer, 'POST /events')
      for (const event_id of event_ids) output.print({ event_id }, event_id)
      return
    } catch (error) {
      const leftMs = deadline - performance.now()
      if (!(error instanceof UnreachableError) || leftMs <= 0) throw error
      if (attempt === 1) output.note(`${error.message.split('\n')[0]}; trying again`)
      await delay(Math.min(backoffDelayMs(attempt), leftMs), signal)
    }
  }
}
