/**
 * The chain: an account's configuration of what happens after which events.
 *
 * `Chain` is what a user writes; `StoredChain` adds what the store knows; `ChainSnapshot` is what a run pins and carries.
 * Unlike messages, chains are strict: a field nobody knows is a typing mistake, and it is said when the chain is saved.
 */
import { z } from 'zod'
import { jsonObjectSchema, keySchema, LIMITS, nameSchema, timestampSchema } from './names.ts'

const WILDCARD = '*'
const nameOrWildcard = z.union([nameSchema, z.literal(WILDCARD)])
const namesOrWildcard = z.union([
  nameOrWildcard,
  z.array(nameSchema).min(1).max(LIMITS.maxEventTypesPerTrigger),
])

/** CEL; what is wrong inside is said by the chain check, which knows the expression language. */
export const expressionSchema = z
  .string()
  .min(1, 'must not be empty')
  .max(LIMITS.maxExpressionChars)
  .meta({
    id: 'Expression',
    description: 'A CEL expression over `event`, and in steps `results` and `error`.',
  })

export const triggerSchema = z
  .union([
    z.strictObject({ default: z.literal(true) }),
    z.strictObject({
      conversation_type: nameOrWildcard,
      /** An array: any of these. */
      event_type: namesOrWildcard,
      conversation_key: keySchema.optional(),
      when: expressionSchema.optional(),
    }),
  ])
  .meta({
    id: 'Trigger',
    description: 'Which events start the chain; `{"default": true}`: those that start no other.',
  })

const MAX_DELAY_MS = 24 * 60 * 60 * 1_000
/** Below RabbitMQ's 30 minutes, after which it calls a consumer stuck. Source: https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout */
const MAX_STEP_TIMEOUT_MS = 25 * 60 * 1_000

const delaySchema = z.int().min(1_000).max(MAX_DELAY_MS)

/** Delays in milliseconds, 1 s to 24 h. What they come to is said in docs/delivery.md. */
export const retryPolicySchema = z
  .strictObject({
    /** The first included; default 3. */
    max_attempts: z.int().min(1).max(50).optional(),
    /** A ready table of delays, instead of the three fields below. */
    schedule: z.enum(['fast', 'webhook']).optional(),
    /** Default 1,000. */
    initial_delay_ms: delaySchema.optional(),
    /** What each delay is multiplied with to make the next; default 2. */
    factor: z.number().min(1).max(10).optional(),
    /** Default 3,600,000. */
    max_delay_ms: delaySchema.optional(),
  })
  .refine(
    (policy) =>
      policy.schedule === undefined ||
      [policy.initial_delay_ms, policy.factor, policy.max_delay_ms].every(
        (own) => own === undefined,
      ),
    'has either a schedule or delays of its own, not both',
  )
  .meta({
    id: 'RetryPolicy',
    description: 'How often, and after which delays, a step that failed is tried again.',
  })

export interface Step {
  id: string
  handler: string
  config: z.infer<typeof jsonObjectSchema>
  when?: string | undefined
  retry?: z.infer<typeof retryPolicySchema> | undefined
  timeout_ms?: number | undefined
  on_error: OnError
}
export type OnError = 'stop' | 'continue' | { steps: Step[] }
type StepInput = Omit<Step, 'config' | 'on_error'> & {
  config?: Step['config'] | undefined
  on_error?: 'stop' | 'continue' | { steps: StepInput[] } | undefined
}

export const stepSchema: z.ZodType<Step, StepInput> = z
  .lazy(() =>
    z.strictObject({
      id: nameSchema,
      handler: nameSchema,
      config: jsonObjectSchema.default({}),
      when: expressionSchema.optional(),
      retry: retryPolicySchema.optional(),
      /** How long one attempt may take; the handler's own timeout holds as well. */
      timeout_ms: z.int().min(1).max(MAX_STEP_TIMEOUT_MS).optional(),
      on_error: z
        .union([z.enum(['stop', 'continue']), z.strictObject({ steps: newStepsSchema() })])
        .default('stop'),
    }),
  )
  .meta({ id: 'Step', description: 'One handler in a chain.' }) as z.ZodType<Step, StepInput>

/** n.b. made anew for each place: JSON Schema would otherwise turn the shared one into a component without a name. */
function newStepsSchema() {
  return z.array(stepSchema).min(1, 'must have at least one step').max(LIMITS.maxStepsPerChain)
}

/**
 * Looks at the depth of steps before their schema does: a schema walks by recursion, and a chain nested deep enough, sent by
 * whoever can reach the broker, would overflow its stack.
 */
const bounded = (steps: z.ZodArray<typeof stepSchema>) =>
  z.preprocess((value: Step[], context) => {
    if (isNestedDeeper(value, LIMITS.maxOnErrorDepth)) {
      context.addIssue(`must not nest on_error more than ${LIMITS.maxOnErrorDepth} deep`)
    }
    return value
  }, steps) as z.ZodType<Step[], StepInput[]>

function isNestedDeeper(steps: unknown, levels: number): boolean {
  if (!Array.isArray(steps)) return false
  if (levels < 0) return true
  return steps.some((step: Partial<Step> | null) => {
    const policy = step?.on_error
    return typeof policy === 'object' && isNestedDeeper(policy?.steps, levels - 1)
  })
}

const chainShape = {
  name: z.string().min(1).max(200),
  enabled: z.boolean().default(true),
  trigger: triggerSchema,
  steps: bounded(newStepsSchema()),
}

const storedShape = {
  chain_id: nameSchema,
  /** Counts the saves of this chain, from 1. A run pins it. */
  version: z.int().min(1),
  updated_at: timestampSchema,
}

/** What is said about a chain that was saved all the same. */
export const chainWarningSchema = z
  .strictObject({
    code: z.literal('SB_POSSIBLE_LOOP'),
    message: z.string(),
    /** The chains of the loop, from the saved one back to it; empty when the search was cut before it found one. */
    path: z.array(nameSchema),
  })
  .meta({ id: 'ChainWarning' })

/** What `PUT` takes: the fields that an answer adds may be sent back and are ignored. */
export const chainSchema = z
  .strictObject({
    ...chainShape,
    chain_id: storedShape.chain_id.optional(),
    version: storedShape.version.optional(),
    updated_at: storedShape.updated_at.optional(),
    warnings: z.array(chainWarningSchema).optional(),
  })
  .transform(
    ({ chain_id: _id, version: _version, updated_at: _at, warnings: _warnings, ...chain }) => chain,
  )

/** The JSON Schema side of `chainSchema`, for documents (a transform has no JSON Schema). */
export const chainDocumentSchema = z.strictObject(chainShape).meta({ id: 'Chain' })

export const storedChainSchema = z
  .strictObject({ ...storedShape, ...chainShape })
  .meta({ id: 'StoredChain' })

/** What `PUT` answers. */
export const savedChainSchema = z
  .strictObject({
    ...storedShape,
    ...chainShape,
    warnings: z
      .array(chainWarningSchema)
      .exactOptional()
      .meta({ description: 'Only when there are any.' }),
  })
  .meta({ id: 'SavedChain' })

/** What a run carries of its chain. `steps` is what is left to choose from: `step_index` points into it. */
export const chainSnapshotSchema = z
  .looseObject({
    chain_id: nameSchema,
    version: z.int().min(1),
    name: z.string(),
    steps: bounded(z.array(stepSchema)),
  })
  .meta({ id: 'ChainSnapshot' })

export type Trigger = z.infer<typeof triggerSchema>
export type RetryPolicy = z.infer<typeof retryPolicySchema>
export type ChainInput = z.input<typeof chainSchema>
export type Chain = z.infer<typeof chainSchema>
export type ChainWarning = z.infer<typeof chainWarningSchema>
export type StoredChain = z.infer<typeof storedChainSchema>
export type ChainSnapshot = z.infer<typeof chainSnapshotSchema>
