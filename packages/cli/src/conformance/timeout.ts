/** How long what is checked may take to answer: 100 ms to 5 minutes. */
import { z } from 'zod'
import { DURATION_FORM, durationMsOf } from '../loadtest/duration.ts'

const MIN_TIMEOUT_MS = 100
const MAX_TIMEOUT_MS = 300_000

export const timeoutSchema = z.string().transform((text, context) => {
  const ms = durationMsOf(text)
  if (ms !== undefined && ms >= MIN_TIMEOUT_MS && ms <= MAX_TIMEOUT_MS) return ms
  context.addIssue(`must be ${DURATION_FORM}, from 100ms to 5m`)
  return z.NEVER
})
