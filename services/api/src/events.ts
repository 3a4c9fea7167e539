/** Events in: checked all together, published, answered when the broker has confirmed every one. */
import type { Publisher } from '@signalbox/broker'
import {
  CLOUD_EVENT_MEDIA_TYPE,
  keySchema,
  traceparentSchema,
  type VumiApiEvent,
} from '@signalbox/contracts'
import {
  counter,
  createRepeatedFailures,
  type Log,
  type Metrics,
  problemOfError,
  sendProblem,
} from '@signalbox/kit'
import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { CLOUD_EVENT_BATCH_MEDIA_TYPE, eventBodySchema, readEvents } from './event-body.ts'
import { accountParamsSchema, exceptBody } from './input.ts'
import { PROBLEMS } from './problems.ts'

export interface EventsDeps {
  publisher: Pick<Publisher, 'event'>
  log: Log
  metrics: Metrics
}

/** 1,000 events of 16 KiB. More than a few events of the largest size belong into several requests. */
const MAX_BODY_BYTES = 16 * 1024 * 1024

const MEDIA_TYPES = [
  'application/json',
  CLOUD_EVENT_MEDIA_TYPE,
  CLOUD_EVENT_BATCH_MEDIA_TYPE,
] as const

export const events: FastifyPluginAsyncZod<EventsDeps> = async (
  app,
  { publisher, log, metrics },
) => {
  const published = counter(
    metrics,
    'signalbox_api_events_total',
    'Events that POST /events published, by whether the broker confirmed them.',
    ['outcome'],
  )
  const tellFailure = createRepeatedFailures(log)
  app.addContentTypeParser(
    [CLOUD_EVENT_MEDIA_TYPE, CLOUD_EVENT_BATCH_MEDIA_TYPE],
    { parseAs: 'string' },
    app.getDefaultJsonParser('error', 'error'),
  )

  // Each fault has to name its event.
  app.setValidatorCompiler(exceptBody)

  app.post(
    '/events',
    {
      config: { access: 'publish' },
      bodyLimit: MAX_BODY_BYTES,
      schema: {
        operationId: 'publishEvents',
        summary:
          'Publish one event, an array of events, or CloudEvents: all or, when one is bad, none',
        tags: ['events'],
        consumes: MEDIA_TYPES,
        params: accountParamsSchema,
        body: eventBodySchema,
        response: { 202: z.object({ event_ids: z.array(keySchema) }), ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const complete = readEvents({
        body: request.body,
        mediaType: mediaTypeOf(request),
        accountKey: request.params.account_key,
      })
      const outcomes = await publishAll(complete, traceparentOf(request))
      const event_ids = complete.map((event) => event.event_id)
      const confirmed = event_ids.filter((_id, index) => outcomes[index] === undefined)
      published.inc({ outcome: 'confirmed' }, confirmed.length)
      published.inc({ outcome: 'unconfirmed' }, event_ids.length - confirmed.length)

      const err = outcomes.find((outcome) => outcome !== undefined)
      if (err === undefined) return reply.code(202).send({ event_ids })
      const problem = problemOfError(err)
      const facts = { err, events: event_ids.length, confirmed: confirmed.length }
      tellFailure(problem.code, facts, 'publish.failed')
      return sendProblem(reply, {
        ...problem,
        detail: `${confirmed.length} of ${event_ids.length} events were confirmed; send all of them again, with these event_ids`,
        event_ids,
        confirmed_event_ids: confirmed,
      })
    },
  )

  /** In order; for each event the error, or undefined when it was confirmed. */
  async function publishAll(
    complete: readonly VumiApiEvent[],
    traceparent: string | undefined,
  ): Promise<unknown[]> {
    const outcomes = await Promise.allSettled(
      complete.map((event) => publisher.event(event, { traceparent })),
    )
    return outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : undefined))
  }
}

function mediaTypeOf({ headers }: FastifyRequest): string {
  return (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()
}

/** One that is not well-formed is ignored, as the specification asks. */
function traceparentOf({ headers }: FastifyRequest): string | undefined {
  return traceparentSchema.safeParse(headers.traceparent).data
}
