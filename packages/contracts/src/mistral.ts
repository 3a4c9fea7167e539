/**
 * Mistral, the workflow engine, as a source of events: what it calls them, and what its webhook publisher posts.
 *
 * | group       | stands for     | names end with                                                                              |
 * | ----------- | -------------- | ------------------------------------------------------------------------------------------- |
 * | `EXECUTION` | `WORKFLOW_…`   | `LAUNCHED`, `SUCCEEDED`, `FAILED`, `CANCELLED`, `PAUSED`, `RESUMED`, `RERUN`                |
 * | `TASK`      | `TASK_…`       | the same, and `SKIPPED`                                                                     |
 *
 * The `on-…` names are those of Mistral's first plan for listeners; nothing but this table knows what they mean.
 */
import { z } from 'zod'
import type { EventInput } from './event.ts'
import { derivedUuid } from './identity.ts'
import { type JsonObject, jsonSchema, keySchema, nameSchema } from './names.ts'

export const MISTRAL_CONVERSATION_TYPE = 'workflow'

const STATES = [
  'LAUNCHED',
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'PAUSED',
  'RESUMED',
  'RERUN',
] as const

/** Groups of event types, by the word that stands for them. */
export const MISTRAL_EVENT_GROUPS = {
  EXECUTION: STATES.map((state) => `WORKFLOW_${state}` as const),
  TASK: [...STATES, 'SKIPPED' as const].map((state) => `TASK_${state}` as const),
} as const

export const MISTRAL_EVENT_TYPES: readonly string[] = Object.values(MISTRAL_EVENT_GROUPS).flat()

/** Which event types an `on-…` name stands for. `complete` is any end, as Mistral's own `on-complete` is. */
export const MISTRAL_ON_EVENTS = {
  'on-execution-start': ['WORKFLOW_LAUNCHED'],
  'on-execution-success': ['WORKFLOW_SUCCEEDED'],
  'on-execution-error': ['WORKFLOW_FAILED'],
  'on-execution-cancel': ['WORKFLOW_CANCELLED'],
  'on-execution-pause': ['WORKFLOW_PAUSED'],
  'on-execution-resume': ['WORKFLOW_RESUMED'],
  'on-execution-rerun': ['WORKFLOW_RERUN'],
  'on-execution-complete': ['WORKFLOW_SUCCEEDED', 'WORKFLOW_FAILED', 'WORKFLOW_CANCELLED'],
  'on-task-start': ['TASK_LAUNCHED'],
  'on-task-success': ['TASK_SUCCEEDED'],
  'on-task-error': ['TASK_FAILED'],
  'on-task-cancel': ['TASK_CANCELLED'],
  'on-task-pause': ['TASK_PAUSED'],
  'on-task-resume': ['TASK_RESUMED'],
  'on-task-rerun': ['TASK_RERUN'],
  'on-task-skip': ['TASK_SKIPPED'],
  'on-task-complete': ['TASK_SUCCEEDED', 'TASK_FAILED', 'TASK_CANCELLED', 'TASK_SKIPPED'],
} as const satisfies Record<string, readonly string[]>

export type MistralOnEvent = keyof typeof MISTRAL_ON_EVENTS
export const MISTRAL_ON_EVENT_NAMES = Object.keys(MISTRAL_ON_EVENTS) as [
  MistralOnEvent,
  ...MistralOnEvent[],
]

const text = z.string().nullish()

/** What Mistral's webhook publisher posts; fields that it may gain are kept. */
export const mistralNotificationSchema = z
  .looseObject({
    /** Of the task, or of the execution when it is about that. */
    id: keySchema,
    event: nameSchema,
    name: text,
    /** Of tasks only. */
    workflow_execution_id: keySchema.nullish(),
    workflow_name: text,
    workflow_namespace: text,
    workflow_id: text,
    state: text,
    state_info: jsonSchema.optional(),
    type: text,
    project_id: text,
    created_at: text,
    updated_at: text,
  })
  .meta({
    id: 'MistralNotification',
    description: "What Mistral's webhook publisher posts about a workflow or a task.",
  })

export type MistralNotification = z.infer<typeof mistralNotificationSchema>

/** The same notification gives the same event, however often it is posted. */
export function eventFromMistral(
  accountKey: string,
  notification: MistralNotification,
): EventInput & { event_id: string } {
  const { id, event, workflow_execution_id, state, created_at, updated_at } = notification
  const moment = [state, created_at, updated_at].map((part) => part ?? '')
  return {
    event_id: derivedUuid('mistral', accountKey, id, event, ...moment),
    account_key: accountKey,
    conversation_type: MISTRAL_CONVERSATION_TYPE,
    conversation_key: workflow_execution_id ?? id,
    event_type: event,
    event_data: notification as JsonObject,
  }
}
