import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import {
  eventInputSchema,
  invocationSchema,
  isPlainEventInput,
  isPlainInvocation,
  isPlainResult,
  stepResultSchema,
} from '../src/index.ts'

const event = {
  event_id: 'e-1',
  account_key: 'acme',
  conversation_key: 'spring-poll',
  conversation_type: 'poll',
  event_type: 'poll_complete',
  event_data: { score: 7, nested: { list: [null, true] } },
  timestamp: '2026-01-31T09:30:00.000Z',
  person_key: '+27820000001',
  caused_by: { event_id: 'e-0', run_id: 'r-0', step_id: 's', hops: 1, path: ['chain'] },
}
const context = {
  run_id: 'r-1',
  event,
  results: { first: { ok: true } },
  error: { step_id: 'first', code: 'BUSY', message: 'not yet' },
  chain: {
    chain_id: 'c',
    version: 2,
    name: 'C',
    steps: [
      { id: 'first', handler: 'log', config: {}, on_error: 'continue', retry: { max_attempts: 4 } },
      { id: 'second', handler: 'log', config: { a: [1] }, when: 'true', on_error: 'stop' },
    ],
  },
  step_index: 1,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  deferrals: 1,
}
const invocation = {
  invocation_id: 'i-1',
  attempt: 1,
  handler: 'log',
  config: { a: 1 },
  context,
  timeout_ms: 1_000,
  repeat: true,
  redeliveries: 1,
}
const result = {
  invocation_id: 'i-1',
  attempt: 1,
  status: 'failed',
  output: [1, 2],
  error: { code: 'BUSY', message: 'not yet', retryable: true, retry_after_ms: 10 },
  retry_after_ms: 1_000,
  duration_ms: 1.5,
  redeliveries: 0,
  context,
}

/** Values that schemas are particular about. */
const oddities = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    '',
    ' ',
    'a b',
    '*',
    '名',
    'x'.repeat(65),
    'x'.repeat(129),
    0,
    -1,
    0.5,
    51,
    2 ** 53,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '2026-02-29T09:30:00.000Z',
    '2024-02-29T09:30:00.000Z',
    '2026-04-31T09:30:00.000Z',
    '2026-12-31T23:59:59.999Z',
    '2026-13-01T00:00:00.000Z',
    '2026-01-01T24:00:00.000Z',
    '2026-01-01T00:00:00Z',
    { steps: [] },
    { max_attempts: 3, schedule: 'fast' },
    { max_attempts: 51 },
    new Date(0),
    new Map(),
    JSON.parse('{"__proto__":{"a":1}}'),
    JSON.parse('['.repeat(70) + ']'.repeat(70)),
  ),
  fc.jsonValue(),
)

/** Every place in a value, as a path to it. */
function placesIn(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, item]) => placesIn(item, [...path, key]))]
}

/** The value with one place changed, one field more, or one less. */
function changed(value: unknown, [key, ...rest]: readonly string[], change: Change): unknown {
  if (key === undefined) {
    if (change.kind === 'replace' || typeof value !== 'object' || value === null) return change.odd
    return Object.defineProperty({ ...value }, change.field, {
      value: change.odd,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  const fields = value as Record<string, unknown>
  if (change.kind === 'remove' && rest.length === 0 && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(fields).filter(([name]) => name !== key))
  }
  const part = changed(fields[key], rest, change)
  return Array.isArray(value)
    ? value.map((item: unknown, index) => (String(index) === key ? part : item))
    : { ...fields, [key]: part }
}

interface Change {
  kind: 'replace' | 'add' | 'remove'
  odd: unknown
  field: string
}

const changes = fc.array(
  fc.record({
    kind: fc.constantFrom<Change['kind']>('replace', 'add', 'remove'),
    odd: oddities,
    field: fc.constantFrom('venue', '__proto__', 'retry', 'events', 'on_error', 'timeout_ms'),
    place: fc.nat(),
  }),
  { maxLength: 2 },
)

const KINDS: [string, unknown, z.ZodType, (value: unknown) => boolean][] = [
  ['an event', event, eventInputSchema, isPlainEventInput],
  ['an invocation', invocation, invocationSchema, isPlainInvocation],
  ['a result', result, stepResultSchema, isPlainResult],
]

describe.each(KINDS)('%s', (_what, sound, schema, isPlain) => {
  it('is plain as Signalbox sends it', () => {
    expect(isPlain(sound)).toBe(true)
  })

  it('is valid, and returned as it is by its schema, when it is plain', () => {
    fc.assert(
      fc.property(changes, (made) => {
        const value = made.reduce<unknown>((from, { place, ...change }) => {
          const places = placesIn(from)
          return changed(from, places[place % places.length]!, change)
        }, sound)
        if (!isPlain(value)) return
        expect(schema.parse(value)).toStrictEqual(value)
      }),
      { numRuns: 3_000 },
    )
  })
})
