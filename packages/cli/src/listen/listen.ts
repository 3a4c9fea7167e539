/** `signalbox listen`: a tunnel. Events come over the WebSocket and go on to a local URL, as callbacks would. */
import type { VumiApiEvent } from '@signalbox/client'
import { InvalidInputError } from '@signalbox/kit'
import { CALLBACK_METHODS, type DeliveryOutcome } from '@signalbox/outbound'
import { z } from 'zod'
import { apiCommand, type CommandContext } from '../api-command.ts'
import { countSchema } from '../events/count.ts'
import { eventLine, GAP_NOTES } from '../events/event-line.ts'
import { FILTER_OPTIONS, FILTER_USAGE, filterShape, selectorOf } from '../events/filter.ts'
import { followEvents } from '../events/following.ts'
import { EXIT } from '../exit-codes.ts'
import { headersSchema } from '../header-option.ts'
import { DURATION_FORM, durationMsOf } from '../loadtest/duration.ts'
import type { Output } from '../output.ts'
import { shortened } from '../printable.ts'
import { UsageError } from '../usage-error.ts'
import { createForwarding, type Forwarding } from './forwarding.ts'

const MAX_EXCERPT_CHARS = 120
const MAX_TIMEOUT_MS = 5 * 60_000

const USAGE = `Usage: signalbox listen <url> [options]

Forwards events to a URL on this machine while it runs, as a listener's callbacks would come, and prints each with its answer:
for developing a receiver without an address on the internet. Events go one by one, in order, each once: what is not taken
is not sent again. A connection that is lost is made again, and goes on where it ended. The key needs the scope manage (for
a token), or is the admin key.

${FILTER_USAGE}

The request
  --secret <whsec_…>      or SIGNALBOX_LISTEN_SECRET: signs as callbacks are signed (Standard Webhooks); repeatable, as in a rotation
  --header 'Name: value'  repeatable
  --method <method>       ${CALLBACK_METHODS.join(', ')} (default POST)
  --timeout <time>        for each answer, 100ms to 5m (default 15s)
  --count <n>             end after so many events`

const NOTES = `Exit codes: 0 ended by Ctrl-C, or all of --count were answered 2xx; 1 some were not; 2 the command line is wrong; 3 refused;
4 Signalbox cannot be reached. Ctrl-C waits for the answer at hand; another one does not.`

const timeoutSchema = z.string().transform((text, context) => {
  const ms = durationMsOf(text)
  if (ms !== undefined && ms >= 100 && ms <= MAX_TIMEOUT_MS) return ms
  context.addIssue(`must be ${DURATION_FORM}, from 100ms to 5m`)
  return z.NEVER
})

const schema = z.object({
  ...filterShape,
  secret: z.array(z.string().min(1)).max(8, 'may be given 8 times').default([]),
  header: headersSchema,
  method: z.enum(CALLBACK_METHODS),
  timeout: timeoutSchema,
  count: countSchema.optional(),
})

export const listen = apiCommand({
  name: 'listen',
  usage: USAGE,
  notes: NOTES,
  usesEdge: true,
  options: {
    ...FILTER_OPTIONS,
    secret: { type: 'string', multiple: true },
    header: { type: 'string', multiple: true },
    method: { type: 'string', default: 'POST' },
    timeout: { type: 'string', default: '15s' },
    count: { type: 'string' },
  },
  schema,
  positionals: { what: 'the URL to forward to', min: 1, max: 1 },
  async run(context) {
    const { values, connection, api, output, deps } = context
    await using forwarding = forwardingOf(context)
    const counts = { forwarded: 0, taken: 0 }
    const follow = { connection, api, output, signal: deps.signal }
    try {
      for await (const item of followEvents(selectorOf(values), follow)) {
        if (item.kind === 'gap') {
          output.note(GAP_NOTES[item.reason])
          continue
        }
        const outcome = await answerTo(item.event, { forwarding, output, signal: deps.signal })
        counts.forwarded += 1
        if (outcome.outcome === 'delivered') counts.taken += 1
        show(item.event, outcome, output)
        if (counts.forwarded === values.count) break
      }
    } finally {
      output.note(`${counts.forwarded} forwarded, ${counts.taken} of them answered 2xx`)
    }
    return deps.signal.aborted || counts.taken === counts.forwarded ? EXIT.done : EXIT.failed
  },
})

/** n.b. who has pressed Ctrl-C is told what is still waited for. */
async function answerTo(
  event: VumiApiEvent,
  { forwarding, output, signal }: { forwarding: Forwarding; output: Output; signal: AbortSignal },
): Promise<DeliveryOutcome> {
  const tell = () => output.note('waiting for the answer at hand; another Ctrl-C does not')
  signal.addEventListener('abort', tell)
  try {
    return await forwarding.forward(event)
  } finally {
    signal.removeEventListener('abort', tell)
  }
}

/** Throws `UsageError`, which repeats neither a secret nor the value of a header. */
function forwardingOf({
  values,
  positionals,
  deps,
}: CommandContext<z.output<typeof schema>>): Forwarding {
  const { SIGNALBOX_LISTEN_SECRET: secret } = deps.env
  try {
    return createForwarding({
      url: positionals[0]!,
      method: values.method,
      headers: values.header,
      secrets: values.secret.length === 0 && secret ? [secret] : values.secret,
      timeoutMs: values.timeout,
    })
  } catch (error) {
    if (error instanceof InvalidInputError) throw new UsageError(error.message)
    throw error
  }
}

function show(event: VumiApiEvent, outcome: DeliveryOutcome, output: Output): void {
  const answer =
    outcome.outcome === 'delivered' ? `${outcome.status}` : `${outcome.outcome}: ${outcome.message}`
  const excerpt = 'responseExcerpt' in outcome ? outcome.responseExcerpt : undefined
  const shown = shortened((excerpt ?? '').trim().replaceAll(/\s+/g, ' '), MAX_EXCERPT_CHARS)
  output.print(
    { event, answer: answerOf(outcome) },
    `${eventLine(event)}\n  -> ${answer} in ${outcome.durationMs} ms${shown === '' ? '' : `  ${shown}`}`,
  )
}

/** As the wire has names. */
function answerOf(outcome: DeliveryOutcome): object {
  const { outcome: end, durationMs } = outcome
  return {
    outcome: end,
    ...('status' in outcome ? { status: outcome.status } : {}),
    duration_ms: durationMs,
    ...('message' in outcome ? { message: outcome.message } : {}),
    ...('responseExcerpt' in outcome ? { response_excerpt: outcome.responseExcerpt } : {}),
  }
}
