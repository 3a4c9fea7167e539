import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv, type AnySchema } from 'ajv'
import { describe, expect, test } from 'vitest'
import { createTopology } from '../../../packages/broker/src/index.ts'
import { asyncApiDocument } from '../asyncapi.ts'
import { SERVICES } from '../configuration.ts'
import { generatedDocuments } from '../documents.ts'

const ROOT = new URL('../../../', import.meta.url)

function fileOf(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

test.each(await generatedDocuments())(
  'docs/$name is what the code says: npm run docs',
  (document) => {
    // n.b. compared as a whole and not by toBe, whose difference would fill the screen.
    expect(fileOf(`docs/${document.name}`) === document.text).toBe(true)
  },
)

test('every service with a configuration is on the page', () => {
  const withConfig = readdirSync(new URL('services', ROOT)).filter((service) =>
    readdirSync(new URL(`services/${service}/src`, ROOT)).includes('config.ts'),
  )
  expect([...Object.keys(SERVICES), 'standalone'].toSorted()).toEqual(withConfig.toSorted())
})

describe('the AsyncAPI document', () => {
  const document = asyncApiDocument() as {
    channels: Record<string, { messages: object; bindings: { amqp: Binding } }>
    operations: Record<string, { channel: Reference; messages: Reference[] }>
    components: { messages: Record<string, { payload: Reference }>; schemas: object }
  }
  interface Reference {
    $ref: string
  }
  interface Binding {
    is: string
    queue?: { name: string }
    exchange?: { name: string; type: string }
  }

  test('is AsyncAPI 3.0', () => {
    const ajv = new Ajv({ strict: false, validateFormats: false })
    const schema = createRequire(import.meta.url)(
      '@asyncapi/specs/schemas/3.0.0-without-$id.json',
    ) as AnySchema
    const validate = ajv.compile(schema)
    expect(validate(document)).toBe(true)
    expect(validate({ ...document, operations: { a: { action: 'shout' } } })).toBe(false)
  })

  test('refers to nothing that it does not have', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)]
    expect(references.length).toBeGreaterThan(50)
    for (const [, path] of references) {
      expect(document).toHaveProperty(path!.split('/'), expect.anything())
    }
  })

  test('has every fixed exchange that is published to, and every fixed queue', () => {
    const topology = createTopology()
    const bindings = Object.values(document.channels).map((channel) => channel.bindings.amqp)
    const exchanges = bindings.flatMap(({ exchange }) => exchange ?? [])
    expect(exchanges.map(({ name, type }) => ({ name, type })).toSorted(byName)).toEqual(
      topology.exchanges
        .filter(({ name }) => !name.startsWith(topology.exchange.relay))
        .map(({ name, type }) => ({ name, type }))
        .toSorted(byName),
    )
    const queues = bindings.flatMap(({ queue }) => queue?.name ?? [])
    expect(queues).toEqual(expect.arrayContaining(topology.queues.map((queue) => queue.name)))
  })

  test('uses every channel and message', () => {
    const used = JSON.stringify(document.operations)
    for (const name of Object.keys(document.channels)) {
      expect(used).toContain(`"#/channels/${name}"`)
    }
    const carried = JSON.stringify(document.channels)
    for (const name of Object.keys(document.components.messages)) {
      expect(carried).toContain(`"#/components/messages/${name}"`)
    }
  })
})

function byName(a: { name: string }, b: { name: string }): number {
  return a.name.localeCompare(b.name)
}
