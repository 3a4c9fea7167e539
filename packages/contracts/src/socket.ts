/**
 * The frames of the edge protocol (subprotocol `signalbox.v1`).
 *
 * Key order is part of the frames: answers are `request_id, errors, status`; events are `event, request_id, data`, so a
 * client may compare bytes. No field appears that the client did not ask for.
 */
import { z } from 'zod'
import { keySchema } from './names.ts'

export const SOCKET_SUBPROTOCOL = 'signalbox.v1'

export const entitySchema = z.enum(['flow', 'step'])
export const FLOW_STATES = ['active', 'paused', 'inactive', 'completed', 'exited'] as const
export const STEP_STATES = ['inactive', 'active', 'paused', 'completed'] as const

/** The client's own number or string for a question; echoed in its answer and, for a subscription, in its frames. */
export const requestIdSchema = z.union([z.number(), z.string().min(1).max(128)])

const stateSubscription = z.looseObject({ person_key: keySchema, entity: entitySchema })

export const socketRequestSchema = z
  .discriminatedUnion('action', [
    z.looseObject({
      action: z.literal('subscribe_state_change'),
      request_id: requestIdSchema,
      data: stateSubscription,
    }),
    z.looseObject({
      action: z.literal('unsubscribe_state_change'),
      request_id: requestIdSchema,
      data: stateSubscription,
    }),
  ])
  .meta({ id: 'SocketRequest' })

export const socketErrorSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  path: z.string().optional(),
})

export const socketAnswerSchema = z
  .strictObject({
    request_id: requestIdSchema.nullable(),
    errors: z.array(socketErrorSchema),
    status: z.int(),
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
  })
  .meta({ id: 'StateChangeFrame' })

export type Entity = z.infer<typeof entitySchema>
export type SocketRequest = z.infer<typeof socketRequestSchema>
export type SocketError = z.infer<typeof socketErrorSchema>
export type SocketAnswer = z.infer<typeof socketAnswerSchema>
export type StateChange = z.infer<typeof stateChangeSchema>
export type StateChangeFrame = z.infer<typeof stateChangeFrameSchema>

/** The event types that carry state changes, and the entity and shape of each. */
export const STATE_CHANGE_EVENTS = {
  flow_state_change: { entity: 'flow', schema: flowStateChangeSchema },
  step_state_change: { entity: 'step', schema: stepStateChangeSchema },
} as const satisfies Record<string, { entity: Entity; schema: z.ZodType<StateChange> }>
