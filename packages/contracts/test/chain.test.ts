import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  chainDocumentSchema,
  chainSchema,
  chainSnapshotSchema,
  invocationSchema,
  LIMITS,
} from '../src/index.ts'

const STEP = { id: 'sms', handler: 'send_sms' }
const CHAIN = { name: 'Chain', trigger: { default: true }, steps: [STEP] }

/** A step within the `on_error` of a step, and so on. */
function nestedSteps(depth: number): object {
  let step: object = STEP
  for (let level = 0; level < depth; level += 1) step = { ...STEP, on_error: { steps: [step] } }
  return step
}

test('a chain gets its defaults', () => {
  expect(chainSchema.parse(CHAIN)).toEqual({
    name: 'Chain',
    enabled: true,
    trigger: { default: true },
    steps: [{ ...STEP, config: {}, on_error: 'stop' }],
  })
})

test('what an answer adds may be sent back and is left out', () => {
  const warnings = [{ code: 'SB_POSSIBLE_LOOP', message: 'a loop', path: ['c1', 'c1'] }]
  const sent = {
    ...CHAIN,
    chain_id: 'c1',
    version: 3,
    updated_at: '2026-01-31T09:30:00Z',
    warnings,
  }
  expect(chainSchema.parse(sent)).toEqual(chainSchema.parse(CHAIN))
})

describe('a chain is accepted', () => {
  test.each([
    ['with wildcards', { trigger: { conversation_type: '*', event_type: '*' } }],
    [
      'with several event types',
      { trigger: { conversation_type: '*', event_type: ['asked', 'answered'] } },
    ],
    [
      'with a conversation and a condition',
      {
        trigger: {
          conversation_type: 'poll',
          event_type: 'poll_complete',
          conversation_key: 'spring',
          when: 'event.event_data.score >= 5',
        },
      },
    ],
    ['with a retry policy', { steps: [{ ...STEP, retry: { max_attempts: 5 } }] }],
    ['with steps for a failure', { steps: [nestedSteps(LIMITS.maxOnErrorDepth)] }],
    ['with on_error continue', { steps: [{ ...STEP, on_error: 'continue' }] }],
  ])('%s', (_what, fields) => {
    expect(chainSchema.safeParse({ ...CHAIN, ...fields }).success).toBe(true)
  })
})

describe('a chain is refused', () => {
  test.each([
    ['for a field nobody knows', { stepps: [] }, []],
    ['for a field nobody knows in a step', { steps: [{ ...STEP, wen: 'true' }] }, ['steps', 0]],
    ['without a step', { steps: [] }, ['steps']],
    [
      'for an empty list of event types',
      { trigger: { conversation_type: '*', event_type: [] } },
      ['trigger', 'event_type'],
    ],
    [
      'for a wildcard among event types',
      { trigger: { conversation_type: '*', event_type: ['a', '*'] } },
      ['trigger', 'event_type', 1],
    ],
    [
      'for more than 50 event types',
      { trigger: { conversation_type: '*', event_type: Array<string>(51).fill('a') } },
      ['trigger'],
    ],
    ['with too many steps', { steps: Array<object>(101).fill(STEP) }, ['steps']],
    ['with an empty name', { name: '' }, ['name']],
    ['with an id that is no name', { steps: [{ ...STEP, id: 'a b' }] }, ['steps', 0, 'id']],
    ['with an empty condition', { steps: [{ ...STEP, when: '' }] }, ['steps', 0, 'when']],
    [
      'with a condition that is too long',
      { steps: [{ ...STEP, when: 'x'.repeat(4_097) }] },
      ['steps', 0, 'when'],
    ],
    [
      'with no attempt at all',
      { steps: [{ ...STEP, retry: { max_attempts: 0 } }] },
      ['steps', 0, 'retry', 'max_attempts'],
    ],
    ['with a default that is false', { trigger: { default: false } }, ['trigger']],
    [
      'with a default that has a kind',
      { trigger: { default: true, event_type: 'x' } },
      ['trigger'],
    ],
  ])('%s', (_what, fields, path) => {
    const outcome = chainSchema.safeParse({ ...CHAIN, ...fields })
    expect(outcome.error?.issues[0]?.path).toEqual(path)
  })

  test.each([LIMITS.maxOnErrorDepth + 1, 5_000])(
    'when on_error is nested %i deep, wherever a chain is read, and without overflowing the stack',
    (depth) => {
      const steps = [STEP, nestedSteps(depth)]
      const message = `must not nest on_error more than ${LIMITS.maxOnErrorDepth} deep`
      expect(chainSchema.safeParse({ ...CHAIN, steps }).error?.issues).toEqual([
        expect.objectContaining({ path: ['steps'], message }),
      ])
      const snapshot = { chain_id: 'c', version: 1, name: 'Chain', steps }
      expect(chainSnapshotSchema.safeParse(snapshot).success).toBe(false)
      expect(invocationSchema.safeParse({ context: { chain: snapshot } }).success).toBe(false)
    },
  )
})

test('the JSON Schema of a chain says what a chain needs and refers to named parts', () => {
  const schema = z.toJSONSchema(chainDocumentSchema, { io: 'input' })
  expect(Object.keys(schema.$defs ?? {}).filter((name) => name.startsWith('__'))).toEqual([])
  expect(schema.$defs?.Chain).toMatchObject({
    required: ['name', 'trigger', 'steps'],
    additionalProperties: false,
    properties: { steps: { type: 'array', minItems: 1, items: { $ref: '#/$defs/Step' } } },
  })
})
