/** `--header 'Name: value'`. */
import { z } from 'zod'

/** n.b. faults do not repeat what was given: it may be a credential. */
export const headersSchema = z
  .array(z.string())
  .default([])
  .transform((lines, context): Record<string, string> => {
    const headers: Record<string, string> = {}
    for (const line of lines) {
      const colon = line.indexOf(':')
      const name = line.slice(0, Math.max(colon, 0)).trim()
      if (name === '') {
        context.addIssue("must be written 'Name: value'")
        return z.NEVER
      }
      headers[name] = line.slice(colon + 1).trim()
    }
    return headers
  })
