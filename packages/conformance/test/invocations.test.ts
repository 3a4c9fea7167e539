import { invocationBatchSchema, LIMITS, uuidv7 } from '@signalbox/contracts'
import { expect, test } from 'vitest'
import { hardToEcho, newInvocation } from '../src/invocations.ts'

const OPTIONS = { handler: 'reverse', config: { text: 'x' } }

test('the invocations are what a dispatcher may send', () => {
  const { id, body } = hardToEcho(OPTIONS)
  const [hard] = invocationBatchSchema.parse(JSON.parse(body))
  expect(hard).toMatchObject({ invocation_id: id, ...OPTIONS })
  expect(Buffer.byteLength(body)).toBeLessThan(LIMITS.maxMessageBytes)
  expect(invocationBatchSchema.parse([newInvocation(OPTIONS)])).toHaveLength(1)
})

test('the hard one has numbers and names as no writer of JSON writes them', () => {
  const { body } = hardToEcho(OPTIONS)
  for (const text of ['1.5E+3', '1.0', '"__proto__": {', '\\u0041\\/']) expect(body).toContain(text)
})

test('each has an identity of its own', () => {
  const ids = Array.from({ length: 100 }, () => newInvocation(OPTIONS).invocation_id)
  expect(new Set(ids).size).toBe(100)
  expect(ids[0]).toHaveLength(uuidv7().length)
})
