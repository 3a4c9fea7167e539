/** The answer to a request that went wrong: RFC 9457 with our `code`. */
import { z } from 'zod'

export const PROBLEM_MEDIA_TYPE = 'application/problem+json'

export const fieldErrorSchema = z.strictObject({
  /** Where, as a path into the request body: `steps[1].config.to`. */
  path: z.string(),
  message: z.string(),
})

export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string().optional(),
    retryable: z
      .boolean()
      .optional()
      .meta({ description: 'Whether the same request may succeed later.' }),
    errors: z.array(fieldErrorSchema).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem document.' })

export type FieldError = z.infer<typeof fieldErrorSchema>
export type Problem = z.infer<typeof problemSchema>
