/** What comes in: checked by the route's schemas, and answered with the path and the fault. */
import { jsonSchema, nameSchema } from '@signalbox/contracts'
import { type ErrorCode, InvalidInputError, parseInput } from '@signalbox/kit'
import type { FastifyRequest, FastifySchemaCompiler } from 'fastify'
import { z } from 'zod'

export const accountParamsSchema = z.object({ account_key: nameSchema })

export interface InputCodes {
  /** The code of a body that does not fit its schema. */
  body?: ErrorCode
}

const PARTS: Readonly<Record<string, string>> = {
  body: 'the request body',
  querystring: 'the query',
  params: 'the path',
}

/** Makes the validator that fastify asks for each part of a request. */
export function inputValidator(codes: InputCodes = {}): FastifySchemaCompiler<z.ZodType> {
  return ({ schema, httpPart = '' }) => {
    const code = httpPart === 'body' ? codes.body : undefined
    return (input: unknown) => {
      try {
        return { value: parseInput(schema, input, PARTS[httpPart] ?? httpPart, code) }
      } catch (error) {
        if (error instanceof InvalidInputError) return { error }
        throw error
      }
    }
  }
}

/** For routes that read the body themselves: its schema is then for the document only. */
export const exceptBody: FastifySchemaCompiler<z.ZodType> = (part) =>
  part.httpPart === 'body' ? (value: unknown) => ({ value }) : inputValidator()(part)

/** A body that is absent is one without fields: where none is required it is enough, elsewhere the answer names those that are missing. */
export async function readAbsentBody(request: FastifyRequest): Promise<void> {
  if (request.method === 'POST' && request.body === undefined) request.body = {}
}

/** Before any schema looks at a body: they, and whoever serialises it later, walk it recursively. */
export async function requireBoundedNesting({ body }: FastifyRequest): Promise<void> {
  if (body !== undefined) parseInput(jsonSchema, body, 'the request body')
}
