/**
 * The handler: a named piece of code that takes an event and a configuration and does something with it.
 *
 * `defineHandler` is all that an author needs: the types of `config` and `output` are read off the zod schemas, and what
 * the catalog shows (JSON Schema, the kinds of events it fires) is made of the same definition.
 */
import {
  type CommandInput,
  type FiredEvent,
  type HandlerDescription,
  handlerDescriptionSchema,
  type Json,
  type RunContext,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { type Log, parseInput } from '@signalbox/kit'
import { z } from 'zod'

const DEFAULT_TIMEOUT_MS = 30_000

/** One call of a handler: one attempt at one step of a run. */
export interface Invocation<Config> {
  /** The step's config, templates resolved, as the handler's schema reads it. */
  readonly config: Config
  readonly event: VumiApiEvent
  /** Output of the steps before, by step id. */
  readonly results: Readonly<Record<string, Json>>
  /** The last failure in this run that did not stop it. */
  readonly error: RunContext['error']
  /** Of the run that this is a step of. */
  readonly runId: string
  readonly chainId: string
  readonly stepId: string
  /** From 1. */
  readonly attempt: number
  /** How often this attempt was put off before. */
  readonly deferrals: number
  /** How often this attempt was delivered before: to a worker that died, or was cut off, before it had answered. */
  readonly redeliveries: number
  /** The same at every attempt and redelivery of this step: hand it to whatever must not happen twice. */
  readonly idempotencyKey: string
  readonly log: Log
  /** Aborts when the handler's time is over or the worker stops. */
  readonly signal: AbortSignal
}

/** What a handler may return. Events and commands are sent by the dispatcher, under derived identities: never twice. */
export interface HandlerOutcome<Output> {
  /** JSON of at most 64 KiB; later steps read it as `results.<step id>`. */
  output?: Output | undefined
  /** At most 100, of the kinds that `fires` lists. */
  events?: readonly FiredEvent[] | undefined
  /** At most 100. */
  commands?: readonly CommandInput[] | undefined
}

/** What `defer` makes. */
export interface Deferral {
  readonly [DEFERRED]: true
  readonly retryAfterMs: number
}

const DEFERRED = Symbol('deferred')

/**
 * What a handler returns that did not begin, because what it works against is full or away: the same attempt comes again after the delay, in
 * milliseconds, rounded up to one of those between 1 s and 24 h. Meanwhile the run waits at the broker. Nothing may have been done yet; after 1,000
 * times the attempt has failed.
 */
export function defer({ retryAfterMs }: { retryAfterMs: number }): Deferral {
  return { [DEFERRED]: true, retryAfterMs }
}

export function isDeferral(returned: unknown): returned is Deferral {
  return typeof returned === 'object' && returned !== null && DEFERRED in returned
}

type Returned<Output> = HandlerOutcome<Output> | Deferral | undefined

export interface FiredKind {
  conversation_type: string
  event_type: string
}

/** What runs; `Handler` without arguments is any handler. */
export interface Handler<Config = unknown, Output = unknown> {
  readonly name: string
  readonly description: HandlerDescription
  readonly config: z.ZodType<Config>
  readonly output: z.ZodType | undefined
  readonly fires: readonly FiredKind[] | 'any'
  readonly timeoutMs: number
  handle(
    invocation: Invocation<Config>,
  ): Returned<Output> | Promise<Returned<Output>> | Promise<void>
}

export interface HandlerDefinition<Config extends z.ZodType, Output extends z.ZodType> {
  /** Chains name it; 1 to 64 characters of `A-Z a-z 0-9 _ -`. */
  name: string
  /** For people who choose a handler; at most 2,000 characters. */
  description: string
  config: Config
  output?: Output
  /** The kinds of events it may fire, default none; `any`: its config decides. */
  fires?: readonly FiredKind[] | 'any'
  /** How long one call may take, default 30,000 ms; after that the attempt has failed, retryable. */
  timeoutMs?: number
  handle: Handler<z.output<Config>, z.input<Output>>['handle']
}

/** Throws `InvalidInputError` when the definition itself is wrong (a bad name, say). */
export function defineHandler<
  Config extends z.ZodType,
  Output extends z.ZodType = z.ZodType<Json, Json>,
>(definition: HandlerDefinition<Config, Output>): Handler<z.output<Config>, z.input<Output>> {
  const { name, config, output, fires = [], timeoutMs = DEFAULT_TIMEOUT_MS, handle } = definition
  const description = parseInput(
    handlerDescriptionSchema,
    {
      name,
      description: definition.description,
      config_schema: z.toJSONSchema(config, { io: 'input', unrepresentable: 'any' }),
      ...(output ? { output_schema: z.toJSONSchema(output, { unrepresentable: 'any' }) } : {}),
      ...(fires === 'any' ? { fires: [], fires_any: true } : { fires }),
    },
    `handler "${name}"`,
  )
  return {
    name,
    description,
    config: config as z.ZodType<z.output<Config>>,
    output,
    fires,
    timeoutMs,
    handle,
  }
}
