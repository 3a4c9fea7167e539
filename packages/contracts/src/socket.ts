/**
 * The frames of the edge protocol (subprotocol `signalbox.v1`).
 *
 * Key order is part of the frames: answers are `request_id, errors, status`; events are `event, request_id, data`, so a
 * client may compare bytes. No field appears that the client did not ask for; those it asked for come last.
 */
import { z } from 'zod'
import { eventSchema } from './event.ts'
import { jsonObjectSchema, keySchema, LIMITS, nameSchema, timestampSchema } from './names.ts'

export const SOCKET_SUBPROTOCOL = 'signalbox.v1'

export const entitySchema = z.enum(['flow', 'step'])
export const FLOW_STATES = ['active', 'paused', 'inactive', 'completed', 'exited'] as const
export const STEP_STATES = ['inactive', 'active', 'paused', 'completed'] as const

/** The client's own number or string for a question; echoed in its answer and, for a subscription, in its frames. */
export const requestIdSchema = z.union([z.number(), z.string().min(1).max(128)])

export const MAX_CURSOR_CHARS = 128

/** Opaque to clients: how far one has come in a channel. */
export const cursorSchema = z
  .string()
  .regex(/^[A-Za-z0-9_.~-]+$/, 'is not a cursor')
  .max(MAX_CURSOR_CHARS, 'is not a cursor')
  .meta({ id: 'Cursor', description: 'How far a client has come; only to be given back.' })

/** It has to fit into a frame, and into a header. */
const MAX_TOKEN_CHARS = 8_192

const stateSelector = z.looseObject({ person_key: keySchema, entity: entitySchema })

/** Which events: those that have everything that is named here. It identifies a subscription. */
const eventSelector = z.looseObject({
  conversation_key: keySchema.optional(),
  conversation_type: nameSchema.optional(),
  event_type: nameSchema.optional(),
  person_key: keySchema.optional(),
  /** Everything of the account; needs a token of the account. */
  all: z.literal(true).optional(),
  /** CEL over `event`. */
  when: z.string().min(1).max(LIMITS.maxExpressionChars).optional(),
})

const RESUMING = {
  /** True: frames carry cursors, and a gap is told. */
  resume: z.boolean().optional(),
  /** What comes after this cursor is delivered first. Implies `resume`. */
  since: cursorSchema.optional(),
}

/** Needs a subject: `when` alone would be evaluated for every event of the account. */
function requireSubject<Schema extends typeof eventSelector>(schema: Schema) {
  return schema.refine(
    ({ conversation_key, conversation_type, event_type, person_key, all }) =>
      (conversation_key ?? conversation_type ?? event_type ?? person_key ?? all) !== undefined,
    'needs at least one of conversation_key, conversation_type, event_type, person_key, all',
  )
}

export const socketRequestSchema = z
  .discriminatedUnion('action', [
    z.looseObject({
      action: z.literal('subscribe_state_change'),
      request_id: requestIdSchema,
      data: stateSelector.extend({
        ...RESUMING,
        /** True: the answer tells the person's current states. */
        snapshot: z.boolean().optional(),
      }),
    }),
    z.looseObject({
      action: z.literal('unsubscribe_state_change'),
      request_id: requestIdSchema,
      data: stateSelector,
    }),
    z.looseObject({
      action: z.literal('subscribe'),
      request_id: requestIdSchema,
      data: requireSubject(eventSelector.extend(RESUMING)),
    }),
    z.looseObject({
      action: z.literal('unsubscribe'),
      request_id: requestIdSchema,
      data: requireSubject(eventSelector),
    }),
    z.looseObject({
      action: z.literal('list'),
      request_id: requestIdSchema,
      data: z.looseObject({}).optional(),
    }),
    z.looseObject({
      action: z.literal('refresh_token'),
      request_id: requestIdSchema,
      /** Of the same person, or the same account: it takes the place of the one that the socket has. */
      data: z.looseObject({ token: z.string().min(1).max(MAX_TOKEN_CHARS) }),
    }),
  ])
  .meta({ id: 'SocketRequest' })

export const socketErrorSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  path: z.string().optional(),
})

/** What a flow or step of a person is in now. */
export const currentStateSchema = z
  .strictObject({
    entity: entitySchema,
    id: z.string(),
    identifier: z.string(),
    state: z.string(),
  })
  .meta({ id: 'CurrentState' })

/** A subscription as `list` tells it: the request that would make it. */
export const listedSubscriptionSchema = z.strictObject({
  action: z.enum(['subscribe_state_change', 'subscribe']),
  request_id: requestIdSchema,
  data: jsonObjectSchema,
})

export const socketAnswerSchema = z
  .strictObject({
    request_id: requestIdSchema.nullable(),
    errors: z.array(socketErrorSchema),
    status: z.int(),
    /** Where the subscription begins; asked for by `resume`. */
    cursor: cursorSchema.optional(),
    /** Whether everything after `since` comes; asked for by `since`. */
    recovered: z.boolean().optional(),
    /** The one that changed longest ago first; asked for by `snapshot`, or `since` when it was not recovered. */
    snapshot: z.array(currentStateSchema).optional(),
    /** Asked for by `list`. */
    subscriptions: z.array(listedSubscriptionSchema).optional(),
    /** The end of the new token; asked for by `refresh_token`. */
    expires_at: timestampSchema.optional(),
  })
  .meta({ id: 'SocketAnswer' })

/** `event_data` of `flow_state_change` and `step_state_change` events. */
export const stateChangeSchema = z.looseObject({
  id: keySchema,
  identifier: z.string().max(256),
  state: z.string(),
  previous_state: z.string().nullable(),
})
export const flowStateChangeSchema = stateChangeSchema.extend({
  state: z.enum(FLOW_STATES),
  previous_state: z.enum(FLOW_STATES).nullable(),
})
export const stepStateChangeSchema = stateChangeSchema.extend({
  state: z.enum(STEP_STATES),
  previous_state: z.enum(STEP_STATES).nullable(),
})

export const stateChangeFrameSchema = z
  .strictObject({
    event: z.literal('state_change'),
    request_id: requestIdSchema,
    data: z.strictObject({
      entity: entitySchema,
      id: z.string(),
      identifier: z.string(),
      state: z.string(),
      previous_state: z.string().nullable(),
    }),
    cursor: cursorSchema.optional(),
  })
  .meta({ id: 'StateChangeFrame' })

export const eventFrameSchema = z
  .strictObject({
    event: z.literal('event'),
    request_id: requestIdSchema,
    data: eventSchema,
    cursor: cursorSchema.optional(),
  })
  .meta({ id: 'EventFrame' })

/** Something was missed for good; what comes after the cursor comes. */
export const gapFrameSchema = z
  .strictObject({
    event: z.literal('gap'),
    request_id: requestIdSchema,
    data: z.strictObject({ snapshot: z.array(currentStateSchema).optional() }),
    cursor: cursorSchema,
  })
  .meta({ id: 'GapFrame' })

export type Entity = z.infer<typeof entitySchema>
export type SocketRequest = z.infer<typeof socketRequestSchema>
export type SocketError = z.infer<typeof socketErrorSchema>
export type SocketAnswer = z.infer<typeof socketAnswerSchema>
export type CurrentState = z.infer<typeof currentStateSchema>
export type ListedSubscription = z.infer<typeof listedSubscriptionSchema>
export type EventFrame = z.infer<typeof eventFrameSchema>
export type GapFrame = z.infer<typeof gapFrameSchema>
export type StateChange = z.infer<typeof stateChangeSchema>
export type StateChangeFrame = z.infer<typeof stateChangeFrameSchema>

/** The event types that carry state changes, and the entity and shape of each. */
export const STATE_CHANGE_EVENTS = {
  flow_state_change: { entity: 'flow', schema: flowStateChangeSchema },
  step_state_change: { entity: 'step', schema: stepStateChangeSchema },
} as const satisfies Record<string, { entity: Entity; schema: z.ZodType<StateChange> }>
