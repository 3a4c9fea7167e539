/**
 * The demo SMS gateway - nothing is really sent. It takes what a real gateway would take, keeps it for a while, and
 * shows it: to the person whose number it is on the poll's page, and to whoever has the admin key.
 */
import { derivedUuid, keySchema, msisdnSchema, uuidv7 } from '@signalbox/contracts'
import { parseInput } from '@signalbox/kit'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Access } from './access.ts'
import { MAX_MESSAGE_CHARS, type Mailboxes } from './mailboxes.ts'

const smsSchema = z.looseObject({
  to: msisdnSchema,
  body: z.string().min(1, 'must not be empty').max(MAX_MESSAGE_CHARS),
})

export interface DemoSmsGatewayDeps {
  access: Pick<Access, 'requireAdmin'>
  mailboxes: Mailboxes
}

export function addDemoSmsGateway(
  app: FastifyInstance,
  { access, mailboxes }: DemoSmsGatewayDeps,
): void {
  /** The same `Idempotency-Key` to the same number is the same message, answered with the same identity. */
  app.post('/demo-sms-gateway/messages', async (request, reply) => {
    const { to, body } = parseInput(smsSchema, request.body, 'message')
    const idempotencyKey = parseInput(
      z.object({ 'idempotency-key': keySchema.exactOptional() }),
      request.headers,
      'headers',
    )['idempotency-key']
    const messageId =
      idempotencyKey === undefined ? uuidv7() : derivedUuid('demo_sms', to, idempotencyKey)
    await mailboxes.deliver({ message_id: messageId, kind: 'sms', to, body })
    return reply.code(201).send({ message_id: messageId })
  })
  app.get('/demo-sms-gateway/messages', async (request) => {
    access.requireAdmin(request)
    const { to } = parseInput(z.object({ to: msisdnSchema }), request.query, 'query')
    return { messages: await mailboxes.messagesTo(to) }
  })
}
