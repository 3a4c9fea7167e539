/**
 * What names and keys may look like, and the bounds on everything that crosses a wire.
 *
 * A *name* is chosen by a developer and becomes part of routing keys and queue names. A *key* identifies a thing
 * that a user's system made up, so it is laxer.
 */
import { z } from 'zod'

/** Bounds in bytes, counts or characters; each is enforced where the thing first enters. */
export const LIMITS = {
  /** A message body on any exchange that carries one event or command. */
  maxMessageBytes: 256 * 1024,
  /** A batch of invocations or results. */
  maxBatchBytes: 1024 * 1024,
  maxBatchItems: 64,
  maxStepOutputBytes: 64 * 1024,
  /** Arrays and objects within each other. */
  maxJsonDepth: 64,
  /** Events in one `POST /events`. */
  maxEventsPerRequest: 1_000,
  /** A chain as JSON. */
  maxChainBytes: 64 * 1024,
  maxStepsPerChain: 100,
  maxEventTypesPerTrigger: 50,
  /** Steps within the `on_error` of steps. */
  maxOnErrorDepth: 8,
  maxExpressionChars: 4_096,
  /** How many times events may cause events before the path is cut and dead-lettered. */
  maxHops: 16,
  /** A frame that a WebSocket client may send. */
  maxSocketFrameBytes: 16 * 1024,
} as const

export const nameSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 characters of A-Z a-z 0-9 _ -')
  .meta({ id: 'Name', description: 'A name that becomes part of routing keys and queue names.' })

export const keySchema = z
  .string()
  .regex(/^[^\s\p{C}\p{Z}]{1,128}$/u, 'must be 1 to 128 printable characters without spaces')
  .meta({ id: 'Key', description: 'An identifier from the world outside.' })

/**
 * A key that is also the `message_id` of a message, which AMQP gives 255 bytes.
 * Source: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf (shortstr)
 */
export const messageIdSchema = keySchema
  .refine(
    (key) => key.length <= 63 || new TextEncoder().encode(key).length <= 255,
    'must be at most 255 bytes of UTF-8',
  )
  .meta({ id: 'MessageId', description: 'A key of at most 255 bytes of UTF-8.' })

/** RFC 3339 in UTC; written with milliseconds, read with any precision. */
export const timestampSchema = z.iso
  .datetime({ message: 'must be an RFC 3339 timestamp in UTC, such as 2026-01-31T09:30:00.000Z' })
  .meta({ id: 'Timestamp' })

/** Source: https://www.w3.org/TR/trace-context/#traceparent-header */
export const traceparentSchema = z
  .string()
  .regex(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/, 'must be a W3C traceparent')
  .meta({ id: 'Traceparent', description: 'W3C trace context.' })

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

/**
 * n.b. Not `z.json()`, which walks by recursion: a value nested deep enough would overflow its stack, and with that pass as a
 * fault of ours.
 */
export const jsonSchema = z
  .unknown()
  .refine(isJson, `must be JSON, nested at most ${LIMITS.maxJsonDepth} deep`)
  .meta({ id: 'Json' }) as z.ZodType<Json, Json>
export const jsonObjectSchema: z.ZodType<JsonObject, JsonObject> = z.record(z.string(), jsonSchema)

export function isJson(value: unknown, depth = 0): value is Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || depth === LIMITS.maxJsonDepth) return false
  if (Array.isArray(value)) return value.every((item) => isJson(item, depth + 1))
  return isPlain(value) && Object.values(value).every((field) => isJson(field, depth + 1))
}

/** A Date, a Map or an instance would arrive as something else than was sent. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
