import { readFile } from 'node:fs/promises'
import { Validator } from '@seriousme/openapi-schema-validator'
import { createMemoryBroker, createTopology } from '@signalbox/broker'
import { createMetrics, createReadiness, silentLog as log } from '@signalbox/kit'
import { createMemoryStore } from '@signalbox/store'
import { expect, test } from 'vitest'
import { createApi } from '../src/app.ts'
import { buildOpenApi } from '../src/openapi.ts'
import { SEALING_KEYS, startFixture } from './fixture.ts'

interface Operation {
  operationId: string
  security: object[]
  parameters?: { name: string; in: string }[]
  responses: Record<string, { description: string }>
}
interface OpenApi {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object> }
}

const document = (await buildOpenApi()) as OpenApi
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    route: `${method.toUpperCase()} ${path}`,
    operation,
  })),
)

test('the document is valid OpenAPI 3.1', async () => {
  const outcome = await new Validator().validate({ ...document })
  expect(outcome).toEqual({ valid: true })
})

test('the document that is built is the one that is served', async () => {
  await using api = await startFixture()
  expect((await api.app.inject('/openapi.json')).json()).toEqual(document)
})

test('every route under /v1 is documented, and every documented route is there', async () => {
  await using broker = createMemoryBroker({ topology: createTopology(), log })
  await using store = createMemoryStore()
  const metrics = createMetrics({ withProcessMetrics: false })
  await using api = createApi(
    { adminKey: 'x', tokenSecret: 'x', sealingKeys: SEALING_KEYS },
    { broker, store, log, metrics, readiness: createReadiness() },
  )
  const registered: string[] = []
  api.app.addHook('onRoute', ({ method, path }) => {
    const documented = path.replaceAll(/:(\w+)/g, '{$1}')
    if (path.startsWith('/v1') && method !== 'HEAD') registered.push(`${method} ${documented}`)
  })
  await api.app.ready()
  expect(registered.length).toBeGreaterThan(10)
  expect(operations.map(({ route }) => route).toSorted()).toEqual(registered.toSorted())
})

test.each(operations)('$route is told in full', ({ route, operation }) => {
  const inPath = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  const named = operation.parameters?.filter((parameter) => parameter.in === 'path') ?? []
  expect(named.map(({ name }) => name).toSorted()).toEqual(inPath.toSorted())
  expect(operation.security).toEqual([{ key: [] }])
  expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['4XX', '5XX']))
  for (const { description } of Object.values(operation.responses)) {
    expect(description).not.toBe('Default Response')
  }
})

test('operations have names of their own', () => {
  const names = operations.map(({ operation }) => operation.operationId)
  expect(new Set(names).size).toBe(operations.length)
  expect(names).not.toContain(undefined)
})

const page = await readFile(new URL('../../../docs/http-api.md', import.meta.url), 'utf8')

test.each(operations)('$route is in docs/http-api.md', ({ route }) => {
  expect(page).toContain(`\`${route.replace('/v1/accounts/{account_key}', '')}\``)
})
