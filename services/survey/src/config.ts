/** The environment of the survey process. */
import { keySchema, nameSchema } from '@signalbox/contracts'
import {
  brokerConfigShape,
  portSchema,
  processConfigShape,
  recordConfigShape,
  secretSchema,
  storeConfigShape,
} from '@signalbox/kit'
import { z } from 'zod'
import { DEMO_POLL } from './demo-poll.ts'

export const config = z.object({
  ...processConfigShape,
  PORT: portSchema(8085),
  ...brokerConfigShape,
  ...storeConfigShape,
  SIGNALBOX_MAX_DOCUMENTS: recordConfigShape.SIGNALBOX_MAX_DOCUMENTS,
  SIGNALBOX_ADMIN_KEY: secretSchema.meta({
    description: 'The admin key: reads and saves polls, acts for any person.',
  }),
  SIGNALBOX_TOKEN_SECRET: secretSchema.meta({
    description: 'Signs WebSocket tokens and the cookies of persons; the edge must have the same.',
  }),
  SURVEY_ACCOUNT: nameSchema.default('demo').meta({ description: 'Whose polls these are.' }),
  SURVEY_WORKER_NAME: nameSchema
    .default('survey')
    .meta({ description: 'The worker name under which it takes commands.' }),
  SURVEY_PAGE_POLL: keySchema
    .default(DEMO_POLL.poll_key)
    .meta({ description: 'The poll that the page shows when its address names none.' }),
  SURVEY_MAX_SESSIONS: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000_000)
    .default(50_000)
    .meta({ description: 'Sessions kept at once; beyond, nobody new can begin a poll.' }),
  SURVEY_KEEP_SESSIONS_DAYS: z.coerce.number().int().min(1).max(3_650).default(30).meta({
    description:
      'How long a session is kept after its last change, in days; an active one is exited first.',
  }),
  SURVEY_PUBLIC_EDGE_URL: z
    .url({ protocol: /^wss?$/, error: 'must be a ws:// or wss:// URL' })
    .optional()
    .meta({
      description: 'The edge as browsers reach it. Default: the host of the page, port 8081.',
    }),
  DEMO_SMS_GATEWAY: z.stringbool().default(false).meta({
    description: 'Offer the demo SMS gateway, which keeps messages and sends nothing to anybody.',
  }),
})
