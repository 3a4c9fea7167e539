/** How the OpenAPI document is made of the routes: their zod schemas, who may call them, and the words around. */
import { STATUS_CODES } from 'node:http'
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import type { Access } from './authentication.ts'
import { tidyComponents } from './components.ts'
import { about } from './version.ts'

const SECURITY_SCHEME = 'key'

export const openApiOptions: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.1',
    info: {
      title: 'Signalbox',
      version: about.version,
      description:
        'Conversations and flows announce what happened; Signalbox decides what happens next. ' +
        'Errors are RFC 9457 problem documents with a `code` and, for bad input, `errors` with the path of each fault.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: [
      { name: 'events', description: 'Publish events; see what became of them.' },
      { name: 'chains', description: 'Which handlers run after which events.' },
      {
        name: 'listeners',
        description:
          'Callbacks over HTTP and AMQP: who is told of which events, and what was delivered.',
      },
      { name: 'handlers', description: 'What chains can be made of.' },
      { name: 'contacts', description: 'The address book that handlers fill.' },
      { name: 'dead letters', description: 'What could not be completed; replay it.' },
      { name: 'keys', description: "The account's API keys." },
      { name: 'tokens', description: 'What opens a WebSocket.' },
      { name: 'connections', description: 'Who has one open.' },
    ],
    components: {
      securitySchemes: {
        [SECURITY_SCHEME]: {
          type: 'http',
          scheme: 'bearer',
          description: 'The admin key, or an API key of the account.',
        },
      },
    },
  },
  transform(document) {
    const { schema, url } = jsonSchemaTransform(document)
    const { access = 'admin' } = document.route.config ?? {}
    return {
      url,
      schema: {
        ...schema,
        description: whoMayCall(access),
        security: [{ [SECURITY_SCHEME]: [] }],
        response: described(schema?.response),
      },
    }
  },
  transformObject: (document) => tidyComponents(jsonSchemaTransformObject(document)),
}

function whoMayCall(access: Access): string {
  return access === 'admin' ? 'Needs the admin key.' : `Needs a key with the scope \`${access}\`.`
}

/** Answers that say nothing of themselves are called by their status. */
function described(response: unknown): object {
  return Object.fromEntries(
    Object.entries(response ?? {}).map(([status, answer]) =>
      'description' in answer
        ? [status, answer]
        : [status, { description: STATUS_CODES[status], content: jsonOf(answer) }],
    ),
  )
}

function jsonOf(schema: object) {
  return { 'application/json': { schema } }
}
