/**
 * Between dispatcher and workers: the invocation that goes out and the result that comes back.
 *
 * A message body is a JSON array of one or more of them. The worker echoes `context` untouched, so that no process has
 * to remember a run: the message is the run.
 */
import { z } from 'zod'
import { chainSnapshotSchema } from './chain.ts'
import { commandInputSchema } from './command.ts'
import { eventSchema, firedEventSchema } from './event.ts'
import {
  jsonObjectSchema,
  jsonSchema,
  keySchema,
  LIMITS,
  nameSchema,
  traceparentSchema,
} from './names.ts'

export const stepErrorSchema = z
  .looseObject({
    code: z.string().min(1).max(64),
    message: z.string().max(4_096),
    /** False: trying again cannot help. */
    retryable: z.boolean().default(true),
    retry_after_ms: z.int().min(0).optional(),
  })
  .meta({ id: 'StepError' })

/** The last error of the run that did not stop it, as later conditions see it. */
export const contextErrorSchema = z.looseObject({
  step_id: nameSchema,
  code: z.string(),
  message: z.string(),
})

export const runContextSchema = z
  .looseObject({
    run_id: keySchema,
    event: eventSchema,
    /** Output by step id; a step that failed or was skipped has none. */
    results: z.record(nameSchema, jsonSchema),
    error: contextErrorSchema.optional(),
    chain: chainSnapshotSchema,
    step_index: z.int().min(0),
    /** W3C trace context of the event: here, because a message may carry invocations of several traces. */
    traceparent: traceparentSchema.optional(),
    /** The dead letter whose replay the run goes on from. */
    replay_of: keySchema.optional(),
    /** How often the attempt has been put off already; absent: never. */
    deferrals: z.int().min(1).optional(),
  })
  .meta({ id: 'RunContext', description: 'The run itself. Workers echo it untouched.' })

export const invocationSchema = z
  .looseObject({
    invocation_id: keySchema,
    attempt: z.int().min(1),
    handler: nameSchema,
    config: jsonObjectSchema,
    context: runContextSchema,
    /** How long the attempt may take; the handler's own timeout holds as well. */
    timeout_ms: z.int().min(1).optional(),
    /** True: it may have been sent before, so a worker that can look up what became of it does so first. */
    repeat: z.boolean().optional(),
    /** Deliveries of it that came to nothing before this message was made of it. */
    redeliveries: z.int().min(0).optional(),
  })
  .meta({
    id: 'HandlerInvocation',
    description: 'One attempt at one step, its templates already resolved.',
  })

export const stepResultSchema = z
  .looseObject({
    invocation_id: keySchema,
    attempt: z.int().min(1),
    /** `deferred`: the worker did not begin; the same attempt comes again. */
    status: z.enum(['succeeded', 'failed', 'skipped', 'deferred']),
    output: jsonSchema.optional(),
    error: stepErrorSchema.optional(),
    /** Of `deferred`: the earliest that it makes sense to come again; at most a day counts. */
    retry_after_ms: z.int().min(0).optional(),
    events: z.array(firedEventSchema).max(100).optional(),
    commands: z.array(commandInputSchema).max(100).optional(),
    duration_ms: z.number().min(0),
    /** How often the invocation had been delivered, to nothing, before this answer: its worker died. Absent: never. */
    redeliveries: z.int().min(0).optional(),
    context: runContextSchema,
  })
  .meta({ id: 'StepResult', description: 'What became of one attempt at one step.' })

/**
 * One attempt at the step that a run is at, in one try of the run: redeliveries of it share this; attempts, replays and deferrals of the
 * attempt do not.
 */
export function attemptIdOf(context: RunContext, attempt: number): string {
  const { run_id, chain, step_index, replay_of, deferrals } = context
  const step = chain.steps[step_index]?.id ?? step_index
  const turn = deferrals === undefined ? attempt : `${attempt}+${deferrals}`
  return [run_id, step, turn, ...(replay_of === undefined ? [] : [replay_of])].join(' ')
}

const batchOf = <Item extends z.ZodType>(item: Item) =>
  z.array(item).min(1).max(LIMITS.maxBatchItems)

export const invocationBatchSchema = batchOf(invocationSchema).meta({
  id: 'HandlerInvocationBatch',
})
export const stepResultBatchSchema = batchOf(stepResultSchema).meta({ id: 'StepResultBatch' })

export type StepError = z.infer<typeof stepErrorSchema>
export type RunContext = z.infer<typeof runContextSchema>
export type HandlerInvocation = z.infer<typeof invocationSchema>
export type StepResult = z.infer<typeof stepResultSchema>
