import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { defineHandler, type Handler } from '../src/index.ts'

describe('defineHandler', () => {
  test('describes the config as JSON Schema of what a step may write, before transforms and defaults', () => {
    const { description } = defineHandler({
      name: 'greet',
      description: 'Greets.',
      config: z.strictObject({
        to: z.string().transform((text) => text.length),
        times: z.int().default(1),
      }),
      output: z.object({ sent: z.boolean() }),
      fires: [{ conversation_type: 'greeting', event_type: 'sent' }],
      handle: () => ({ output: { sent: true } }),
    })
    expect(description).toMatchObject({
      name: 'greet',
      fires: [{ conversation_type: 'greeting', event_type: 'sent' }],
      config_schema: {
        type: 'object',
        properties: { to: { type: 'string' }, times: { type: 'integer', default: 1 } },
        required: ['to'],
        additionalProperties: false,
      },
      output_schema: { properties: { sent: { type: 'boolean' } }, required: ['sent'] },
    })
  })

  test('says in the catalog when its config decides what it fires', () => {
    const handler = defineHandler({
      name: 'any',
      description: '',
      config: z.object({}),
      fires: 'any',
      handle: async () => undefined,
    })
    expect(handler.description).toMatchObject({ fires: [], fires_any: true })
  })

  test('refuses a name that cannot be part of a queue name, and says which field is wrong', () => {
    const define = () =>
      defineHandler({ name: 'no spaces', description: '', config: z.object({}), async handle() {} })
    expect(define).toThrow(/handler "no spaces" is not valid: name: must be 1 to 64 characters/)
  })

  test('gives its function the types of its schemas, and is a handler like any other', () => {
    const handler = defineHandler({
      name: 'typed',
      description: '',
      config: z.object({ count: z.coerce.number() }),
      output: z.object({ total: z.number() }),
      async handle({ config }) {
        expectTypeOf(config).toEqualTypeOf<{ count: number }>()
        return { output: { total: config.count } }
      },
    })
    expectTypeOf(handler).toExtend<Handler>()
    expect(handler.timeoutMs).toBe(30_000)
  })
})
