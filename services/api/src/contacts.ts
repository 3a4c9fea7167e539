/** The account's address book, as handlers filled it. */
import { contactSchema, keySchema } from '@signalbox/contracts'
import { NotFoundError } from '@signalbox/kit'
import type { ContactStore } from '@signalbox/store'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { accountParamsSchema } from './input.ts'
import { pageQuerySchema, pageSchemaOf } from './paging.ts'
import { PROBLEMS } from './problems.ts'

export interface ContactsDeps {
  contacts: Pick<ContactStore, 'get' | 'list'>
}

const contactPageSchema = pageSchemaOf(contactSchema)

export const contacts: FastifyPluginAsyncZod<ContactsDeps> = async (app, { contacts: store }) => {
  app.get(
    '/contacts',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listContacts',
        summary: 'The contacts of the account',
        tags: ['contacts'],
        params: accountParamsSchema,
        querystring: pageQuerySchema,
        response: { 200: contactPageSchema, ...PROBLEMS },
      },
    },
    async ({ params, query }) => store.list(params.account_key, query),
  )

  app.get(
    '/contacts/:contact_key',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getContact',
        summary: 'One contact',
        tags: ['contacts'],
        params: accountParamsSchema.extend({ contact_key: keySchema }),
        response: { 200: contactSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key, contact_key } }) => {
      const contact = await store.get(account_key, contact_key)
      if (contact) return contact
      throw new NotFoundError(`there is no contact "${contact_key}"`)
    },
  )
}
