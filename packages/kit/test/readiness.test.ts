import { expect, test } from 'vitest'
import { createReadiness } from '../src/index.ts'

test('a process is ready when every check passes, and gives the reason of each that does not', () => {
  const readiness = createReadiness()
  expect(readiness.report()).toEqual({ ready: true, reasons: {} })

  let redis: string | undefined = 'connection refused'
  readiness.add('redis', () => redis)
  readiness.add('rabbitmq', () => undefined)
  readiness.add('consumer', () => '')
  expect(readiness.report()).toEqual({
    ready: false,
    reasons: { redis: 'connection refused', consumer: '' },
  })

  redis = undefined
  readiness.add('consumer', () => undefined)
  expect(readiness.report()).toEqual({ ready: true, reasons: {} })
})
