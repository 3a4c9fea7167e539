/** `--count`: end by itself after so many events. */
import { z } from 'zod'

const FORM = 'must be a whole number from 1 to 1000000'

export const countSchema = z
  .string()
  .regex(/^[1-9]\d{0,6}$/, FORM)
  .transform(Number)
  .refine((count) => count <= 1_000_000, FORM)
