/**
 * From a delivery of the dead queue to the dead letters that it is: one that a consumer published, or a message that RabbitMQ itself
 * moved there, which carries no more than where it was and why it was moved.
 */
import { type Death, type Delivery, deadLetterOf, type Topology } from '@signalbox/broker'
import {
  type DeadLetter,
  deadLetterSchema,
  derivedUuid,
  INSTALLATION_ACCOUNT,
  keySchema,
  LIMITS,
  nameSchema,
  runContextIn,
} from '@signalbox/contracts'
import { type ErrorCode, fieldErrorsOf, summarise } from '@signalbox/kit'
import type { NewDeadLetter } from '@signalbox/store'
import { z } from 'zod'

/** A body beyond this is kept with its beginning only. What consumers publish is never larger. */
const MAX_KEPT_BYTES = 2 * LIMITS.maxBatchBytes
const KEPT_BEGINNING_BYTES = 64 * 1024

/** Whom a message may be about, each field by itself: one that is bad hides no other. */
const identitySchema = z.object({
  account_key: nameSchema.optional().catch(undefined),
  event_id: keySchema.optional().catch(undefined),
  conversation_type: nameSchema.optional().catch(undefined),
  event_type: nameSchema.optional().catch(undefined),
})

/** At least one; never throws for what the message is. */
export function readDeadLetters(delivery: Delivery, topology: Topology): NewDeadLetter[] {
  const { death, body } = delivery
  if (!death) {
    const letter = publishedLetter(body)
    return [completed('dead_letter_id' in letter ? letter : unexplained(delivery, letter.fault))]
  }
  const about = aboutOf(death, topology)
  const parts = about === 'invocation' || about === 'result' ? singlesOf(body) : [body]
  return parts.map((part) => completed(brokerMade(part, death, about)))
}

function publishedLetter(body: Buffer): DeadLetter | { fault: string } {
  try {
    const parsed = deadLetterSchema.safeParse(JSON.parse(body.toString()))
    return parsed.success ? parsed.data : { fault: summarise(fieldErrorsOf(parsed.error)) }
  } catch (error) {
    return { fault: (error as Error).message }
  }
}

function unexplained(delivery: Delivery, fault: string): DeadLetter {
  const { exchange, routingKey, body, properties } = delivery
  return letterOf(
    { exchange, routingKey, body },
    {
      code: 'SB_INVALID_MESSAGE',
      message: `what was published as a dead letter is none: ${fault}`,
      about: 'message',
    },
    properties.timestampMs,
  )
}

const CAUSES: Readonly<Record<string, { code: ErrorCode; why: string }>> = {
  delivery_limit: {
    code: 'SB_DELIVERY_LIMIT',
    why: 'came back too often: whoever takes it dies of it, or gives it back each time',
  },
  rejected: {
    code: 'SB_TOO_LARGE',
    why: 'was refused, and is too large for a dead letter that says more',
  },
}

function brokerMade(body: Buffer, death: Death, about: DeadLetter['about']): DeadLetter {
  const { code, why } = CAUSES[death.reason] ?? {
    code: 'SB_INVALID_MESSAGE',
    why: `was moved by RabbitMQ (${death.reason})`,
  }
  // n.b. Published again it goes to the queue that it died in, and to no other that took a copy of it.
  return letterOf(
    { exchange: '', routingKey: death.queue, body },
    { code, message: `the message in ${death.queue} ${why}`, about },
    death.atMs || undefined,
  )
}

function letterOf(
  message: { exchange: string; routingKey: string; body: Buffer },
  reason: Parameters<typeof deadLetterOf>[1],
  nowMs?: number,
): DeadLetter {
  const letter = deadLetterOf(message, reason, nowMs)
  if (message.body.length <= MAX_KEPT_BYTES) return letter
  const base64 = message.body.subarray(0, KEPT_BEGINNING_BYTES).toString('base64')
  return { ...letter, body: { base64, cut_from_bytes: message.body.length } }
}

function aboutOf({ queue }: Death, topology: Topology): DeadLetter['about'] {
  const { dispatcherEvents, dispatcherResults, edgeRelay } = topology.queue
  if (queue === dispatcherEvents || queue.startsWith(edgeRelay)) return 'event'
  if (queue === dispatcherResults) return 'result'
  if (queue.startsWith(topology.handlerQueue('').name)) return 'invocation'
  return queue.endsWith('.control') ? 'command' : 'message'
}

/** A batch as batches of one: each has an account and a run of its own. */
function singlesOf(body: Buffer): Buffer[] {
  try {
    const items: unknown = JSON.parse(body.toString())
    if (Array.isArray(items) && items.length > 1) {
      return items.map((item: unknown) => Buffer.from(JSON.stringify([item])))
    }
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error
  }
  return [body]
}

/** With what its body tells of the account, the event and the run. */
function completed(letter: DeadLetter): NewDeadLetter {
  const found = identityIn(letter)
  const known = Object.entries(found).filter(([, value]) => value !== undefined)
  const id = keySchema.safeParse(letter.dead_letter_id)
  const account = nameSchema.safeParse(letter.account_key ?? found.account_key)
  return {
    ...(Object.fromEntries(known) as typeof found),
    ...letter,
    dead_letter_id: id.success ? id.data : derivedUuid('dead_letter', letter.dead_letter_id),
    account_key: account.success ? account.data : INSTALLATION_ACCOUNT,
  }
}

function identityIn({ body }: DeadLetter) {
  const context = runContextIn(body)
  const source: unknown = context?.event ?? ('json' in body ? body.json : undefined)
  const event = identitySchema.safeParse(source).data ?? {}
  const step = context?.chain.steps[context.step_index]
  return {
    ...event,
    run_id: context?.run_id,
    chain_id: context?.chain.chain_id,
    step_id: step?.id,
    handler: step?.handler,
    replay_of: context?.replay_of,
  }
}
