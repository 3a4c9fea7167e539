/** Who of an account is connected to the edges now, as they said it within the last seconds. */
import { keySchema } from '@signalbox/contracts'
import { InvalidInputError } from '@signalbox/kit'
import type { AccountPresence, PresenceStore } from '@signalbox/store'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { accountParamsSchema } from './input.ts'
import { pageQuerySchema } from './paging.ts'
import { PROBLEMS } from './problems.ts'

export interface ConnectionsDeps {
  presence: Pick<PresenceStore, 'read'>
}

const COUNTS = { connections: z.int(), subscriptions: z.int() }

const connectionsSchema = z
  .object({
    ...COUNTS,
    edges: z.array(z.object({ edge: z.string(), ...COUNTS })),
    persons: z
      .array(z.object({ person_key: keySchema, ...COUNTS }))
      .meta({ description: 'By person_key, one page of them; tokens of the account name nobody.' }),
    next: z.string().exactOptional().meta({ description: 'The cursor of the next persons.' }),
  })
  .meta({ id: 'Connections' })

export const connections: FastifyPluginAsyncZod<ConnectionsDeps> = async (app, { presence }) => {
  app.get(
    '/connections',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'listConnections',
        summary: 'Who is connected to the edges: totals, by edge, by person',
        tags: ['connections'],
        params: accountParamsSchema,
        querystring: pageQuerySchema,
        response: { 200: connectionsSchema, ...PROBLEMS },
      },
    },
    async ({ params: { account_key }, query: { limit, cursor } }) => {
      const after = cursor === undefined ? undefined : positionOf(cursor)
      return viewOf(await presence.read(account_key), { limit, after })
    },
  )
}

function viewOf(
  edges: ReadonlyMap<string, AccountPresence>,
  { limit, after }: { limit: number; after: string | undefined },
): z.infer<typeof connectionsSchema> {
  const persons = new Map<string, { connections: number; subscriptions: number }>()
  for (const { personKey, ...counts } of [...edges.values()].flatMap((edge) => edge.persons)) {
    const sum = persons.get(personKey) ?? { connections: 0, subscriptions: 0 }
    persons.set(personKey, plus(sum, counts))
  }
  const rest = [...persons.keys()].filter((key) => after === undefined || key > after).sort()
  const shown = rest.slice(0, limit)
  const last = shown.at(-1)
  return {
    ...[...edges.values()].reduce(plus, { connections: 0, subscriptions: 0 }),
    edges: [...edges]
      .map(([edge, { connections, subscriptions }]) => ({ edge, connections, subscriptions }))
      .sort((a, b) => (a.edge < b.edge ? -1 : 1)),
    persons: shown.map((person_key) => ({ person_key, ...persons.get(person_key)! })),
    ...(rest.length > shown.length && last !== undefined ? { next: cursorOf(last) } : {}),
  }
}

interface Counts {
  connections: number
  subscriptions: number
}

function plus(a: Counts, b: Counts): Counts {
  return {
    connections: a.connections + b.connections,
    subscriptions: a.subscriptions + b.subscriptions,
  }
}

function cursorOf(personKey: string): string {
  return Buffer.from(`connections\n${personKey}`).toString('base64url')
}

function positionOf(cursor: string): string {
  const [listing, personKey] = Buffer.from(cursor, 'base64url').toString().split('\n')
  if (listing === 'connections' && personKey !== undefined && cursorOf(personKey) === cursor) {
    return personKey
  }
  const message = 'is not a cursor of this listing'
  throw new InvalidInputError(`cursor ${message}`, { details: [{ path: 'cursor', message }] })
}
