/** What the catalog knows of a handler. */
import { z } from 'zod'
import { jsonObjectSchema, keySchema, nameSchema, timestampSchema } from './names.ts'

export const firedKindSchema = z.strictObject({
  conversation_type: nameSchema,
  event_type: nameSchema,
})

export const handlerDescriptionSchema = z
  .looseObject({
    name: nameSchema,
    description: z.string().max(2_000),
    /** JSON Schema of a step's `config`, templates resolved. */
    config_schema: jsonObjectSchema,
    output_schema: jsonObjectSchema.optional(),
    /** The kinds of events it may fire. */
    fires: z.array(firedKindSchema).max(100).default([]),
    /** True: its config decides which kinds it fires; `fires` is then empty. */
    fires_any: z.boolean().optional(),
  })
  .meta({ id: 'HandlerDescription' })

export const catalogEntrySchema = z
  .looseObject({
    ...handlerDescriptionSchema.shape,
    workers: z.array(z.strictObject({ worker_id: keySchema, expires_at: timestampSchema })),
    registered_at: timestampSchema,
  })
  .meta({ id: 'CatalogEntry', description: 'A handler and the workers that run it now.' })

export type HandlerDescription = z.infer<typeof handlerDescriptionSchema>
export type CatalogEntry = z.infer<typeof catalogEntrySchema>
