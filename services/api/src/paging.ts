/** Listings: `limit` and `cursor` in the query, `items` and `next` in the answer. */
import { z } from 'zod'

export const pageQuerySchema = z.strictObject({
  limit: z.coerce
    .number('must be a number')
    .int()
    .min(1)
    .max(1_000)
    .default(100)
    .meta({ description: 'At most so many items.' }),
  cursor: z
    .string()
    .min(1)
    .max(512)
    .exactOptional()
    .meta({ description: 'The `next` of the page before.' }),
})

/** A page may be short, even empty: only the absence of `next` is the end. */
export function pageSchemaOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), next: z.string().exactOptional() })
}
