/**
 * The listener: a registered callback for events. It is a one-step chain with a shorter way to write it.
 *
 * `ListenerInput` is what a user sends; `Listener` is what is kept and shown, without secrets. A listener is *active*, *paused* by its
 * owner, or *disabled* by us, which `disabled_reason` explains. Listeners are as strict as chains.
 */
import { z } from 'zod'
import { callbackInputSchema, callbackSchema } from './callback.ts'
import { expressionSchema, retryPolicySchema } from './chain.ts'
import { MISTRAL_EVENT_GROUPS, MISTRAL_ON_EVENT_NAMES, MISTRAL_ON_EVENTS } from './mistral.ts'
import { keySchema, LIMITS, nameSchema, timestampSchema } from './names.ts'

const WILDCARD = '*'

export const LISTENER_STATES = ['active', 'paused', 'disabled'] as const
export const listenerStateSchema = z.enum(LISTENER_STATES)

/** Its chain's identity is this and a prefix, and still a name. */
const listenerIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,55}$/, 'must be 1 to 55 characters of A-Z a-z 0-9 _ -')

const eventTypesSchema = z
  .array(z.union([nameSchema, z.literal(WILDCARD)]))
  .min(1)
  .max(LIMITS.maxEventTypesPerTrigger)

const limitsSchema = z.strictObject({
  /** Deliveries at once. */
  concurrency: z.int().min(1).max(100).optional(),
  /** Deliveries begun per second. */
  per_second: z.number().min(0.01).max(10_000).optional(),
})

const selectorShape = {
  name: z.string().min(1).max(200),
  /** Mistral's: only events of workflows of this name, or of this workbook. */
  workbook_name: keySchema.optional(),
  conversation_key: keySchema.optional(),
  conversation_type: nameSchema.optional(),
  /** Names of event types, `*`, `EXECUTION`, `TASK`; with `events`, both count. Without either: every event. */
  event_types: eventTypesSchema.optional(),
  events: z.array(z.enum(MISTRAL_ON_EVENT_NAMES)).min(1).max(50).optional(),
  when: expressionSchema.optional(),
}

const optionsShape = {
  /** Default: 11 attempts of the schedule `webhook`. */
  retry: retryPolicySchema.optional(),
  limits: limitsSchema.optional(),
}

const answeredShape = {
  listener_id: listenerIdSchema,
  state: listenerStateSchema,
  disabled_reason: z.string().optional(),
  created_at: timestampSchema,
  updated_at: timestampSchema,
  /** Counts the changes of this listener, from 1. */
  version: z.int().min(1),
}

export const listenerSchema = z
  .strictObject({ ...answeredShape, ...selectorShape, ...optionsShape, callback: callbackSchema })
  .meta({ id: 'Listener', description: 'A registered callback for events, without its secrets.' })

export const SIGNATURE_SCHEMES = ['hmac-sha256', 'ed25519'] as const

const writtenShape = {
  ...selectorShape,
  ...optionsShape,
  callback: callbackInputSchema,
}

/** The JSON Schema side of `listenerInputSchema`, for documents. */
export const listenerDocumentSchema = z
  .strictObject({
    ...writtenShape,
    name: selectorShape.name.optional(),
    listener_id: listenerIdSchema.optional(),
    signature: z.enum(SIGNATURE_SCHEMES).optional(),
  })
  .meta({
    id: 'WrittenListener',
    description: 'A listener as it is sent; its name is made of its callback when it has none.',
  })

const oneOfConversationAndWorkbook = [
  (listener: { workbook_name?: unknown; conversation_key?: unknown }) =>
    listener.workbook_name === undefined || listener.conversation_key === undefined,
  'has either a workbook_name or a conversation_key, not both',
] as const

/** What `POST` and `PUT` take: what an answer adds may be sent back and is ignored, but for `listener_id`, which a `POST` may choose. */
export const listenerInputSchema = z.preprocess(
  fromMistral,
  z
    .strictObject({
      ...writtenShape,
      name: selectorShape.name.optional(),
      listener_id: listenerIdSchema.optional(),
      /** How deliveries are signed; chosen when it is created. */
      signature: z.enum(SIGNATURE_SCHEMES).optional(),
      state: z.unknown().optional(),
      disabled_reason: z.unknown().optional(),
      created_at: z.unknown().optional(),
      updated_at: z.unknown().optional(),
      version: z.unknown().optional(),
      deliveries: z.unknown().optional(),
      signing: z.unknown().optional(),
    })
    .refine(...oneOfConversationAndWorkbook)
    .refine(
      (listener) => eventTypesCount(listener) <= LIMITS.maxEventTypesPerTrigger,
      `stands for more than ${LIMITS.maxEventTypesPerTrigger} event types`,
    )
    .transform((sent) => {
      const {
        state: _state,
        disabled_reason: _reason,
        created_at: _created,
        updated_at: _updated,
        version: _version,
        deliveries: _deliveries,
        signing: _signing,
        name,
        ...listener
      } = sent
      return { ...listener, name: name ?? nameOf(listener.callback) }
    }),
)

export type Listener = z.infer<typeof listenerSchema>
export type ListenerInput = z.infer<typeof listenerInputSchema>
export type ListenerState = z.infer<typeof listenerStateSchema>

/** Which event types a listener is for: `*`, or their names in order, each once. */
export function eventTypesOf({
  event_types = [],
  events = [],
}: Pick<Listener, 'event_types' | 'events'>): '*' | string[] {
  if (event_types.includes(WILDCARD) || event_types.length + events.length === 0) return WILDCARD
  const names = [
    ...event_types.flatMap((name) => (isGroup(name) ? MISTRAL_EVENT_GROUPS[name] : [name])),
    ...events.flatMap((name) => MISTRAL_ON_EVENTS[name]),
  ]
  return [...new Set(names)]
}

function isGroup(name: string): name is keyof typeof MISTRAL_EVENT_GROUPS {
  return Object.hasOwn(MISTRAL_EVENT_GROUPS, name)
}

function eventTypesCount(listener: Pick<Listener, 'event_types' | 'events'>): number {
  const types = eventTypesOf(listener)
  return types === WILDCARD ? 1 : types.length
}

/**
 * Mistral's `{type: "webhook", url, headers, event_types}` is a whole listener as well as a callback: what stands outside of `callback`
 * is moved into it, and its `event_types` out of it.
 */
function fromMistral(sent: unknown): unknown {
  if (!isRecord(sent)) return sent
  if (sent.callback === undefined && sent.type !== undefined) {
    const { type, url, headers, ...rest } = sent
    const callback = { type, url, ...(headers === undefined ? {} : { headers }) }
    return { ...rest, callback }
  }
  const { callback } = sent
  if (!isRecord(callback) || callback.type !== 'webhook' || callback.event_types === undefined) {
    return sent
  }
  const { event_types, ...rest } = callback
  return { event_types, ...sent, callback: rest }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function nameOf(callback: z.infer<typeof callbackInputSchema>): string {
  const where = callback.type === 'amqp' ? callback.exchange : callback.url
  return `${callback.type === 'amqp' ? 'AMQP' : 'HTTP'} to ${where}`.slice(0, 200)
}
