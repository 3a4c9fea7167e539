/**
 * Callbacks: how a listener is told. Each type is one file, listed here; the api checks it and a handler delivers it by the same name.
 *
 * A callback is *written* with its secrets (credentials in headers, a password) and *shown* with `***` in their place. What is secret is
 * taken out before it is kept, and never becomes part of a chain.
 */
import { z } from 'zod'
import { amqpCallback } from './callback-amqp.ts'
import { httpCallback } from './callback-http.ts'

export const CALLBACK_TYPES = { http: httpCallback, amqp: amqpCallback } as const

/** As it is sent: `webhook` is Mistral's word for `http`. */
export const callbackInputSchema = z
  .discriminatedUnion('type', [
    httpCallback.inputSchema,
    httpCallback.mistralSchema,
    amqpCallback.inputSchema,
  ])
  .meta({ id: 'WrittenCallback' })

/** As it is kept and shown. */
export const callbackSchema = z
  .discriminatedUnion('type', [httpCallback.schema, amqpCallback.schema])
  .meta({ id: 'Callback', description: 'How a listener is told; secrets read `***`.' })

export type CallbackInput = z.infer<typeof callbackInputSchema>
export type Callback = z.infer<typeof callbackSchema>

/** What is secret in a callback, by the place that it was taken from: `headers.authorization`, `password`. */
export type CallbackSecrets = Record<string, string>

/** Takes the secrets out. n.b. where `***` was sent, it is the secret: its author means the one that is kept. */
export function splitCallback(input: CallbackInput): {
  callback: Callback
  secrets: CallbackSecrets
} {
  return input.type === 'amqp' ? amqpCallback.split(input) : httpCallback.split(input)
}

/** The handler that delivers it, and what the step of the chain says: templates as they were written, no secret. */
export function callbackStep(callback: Callback) {
  const { handler } = CALLBACK_TYPES[callback.type]
  const config =
    callback.type === 'amqp' ? amqpCallback.config(callback) : httpCallback.config(callback)
  return { handler, config }
}
