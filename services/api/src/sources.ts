/** Sources that speak a shape of their own. */
import type { Publisher } from '@signalbox/broker'
import {
  completeEvent,
  eventFromMistral,
  keySchema,
  mistralNotificationSchema,
} from '@signalbox/contracts'
import { parseInput } from '@signalbox/kit'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { accountParamsSchema, exceptBody } from './input.ts'
import { PROBLEMS } from './problems.ts'

export interface SourcesDeps {
  publisher: Pick<Publisher, 'event'>
}

export const sources: FastifyPluginAsyncZod<SourcesDeps> = async (app, { publisher }) => {
  app.setValidatorCompiler(exceptBody)
  // Mistral posts JSON and does not say that it is. Source: mistral/notifiers/publishers/webhook.py of openstack/mistral
  app.addContentTypeParser('*', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'))

  app.post(
    '/sources/mistral',
    {
      config: { access: 'publish' },
      schema: {
        operationId: 'publishFromMistral',
        summary:
          "Publish what Mistral's webhook publisher posts; the same notification again is the same event",
        tags: ['events'],
        params: accountParamsSchema,
        body: mistralNotificationSchema,
        // n.b. 201: Mistral takes 200 and 201 for success, and nothing else.
        response: { 201: z.object({ event_id: keySchema }), ...PROBLEMS },
      },
    },
    async ({ params: { account_key }, body }, reply) => {
      const notification = parseInput(mistralNotificationSchema, body, 'the notification')
      const event = completeEvent(eventFromMistral(account_key, notification))
      await publisher.event(event)
      return reply.code(201).send({ event_id: event.event_id })
    },
  )
}
