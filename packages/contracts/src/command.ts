/** The command: a directed instruction to one worker, in the shape that Vumi Go gave it. */
import { z } from 'zod'
import { uuidv7 } from './identity.ts'
import { jsonObjectSchema, jsonSchema, messageIdSchema, nameSchema } from './names.ts'

export const commandInputSchema = z
  .looseObject({
    command_id: messageIdSchema.optional(),
    worker_name: nameSchema,
    command: nameSchema,
    args: z.array(jsonSchema).default([]),
    kwargs: jsonObjectSchema.default({}),
  })
  .meta({ id: 'CommandInput' })

export const commandSchema = commandInputSchema.extend({ command_id: messageIdSchema }).meta({
  id: 'VumiApiCommand',
  description: 'An instruction to one worker, routed by `worker_name`.',
})

export type CommandInput = z.input<typeof commandInputSchema>
export type VumiApiCommand = z.infer<typeof commandSchema>

/** Fills in `command_id` and the empty arguments. Throws a ZodError on a bad shape. */
export function completeCommand(input: CommandInput): VumiApiCommand {
  const command = commandInputSchema.parse(input)
  return { ...command, command_id: command.command_id ?? uuidv7() }
}
