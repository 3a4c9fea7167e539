import { expect, test } from 'vitest'
import { executionLine, executionOf } from '../../src/loadtest/execution-report.ts'

test('an execution reads as it was written', () => {
  const execution = { index: 42, step: 1, invocationId: 'i-1', atMs: 1_700_000_000_123.457 }
  expect(executionOf(executionLine(execution).trimEnd())).toEqual(execution)
})

test('a line of the log, and one that was cut off, are no executions', () => {
  expect(executionOf('{"level":"warn","msg":"connection.lost"}')).toBeUndefined()
  expect(executionOf('#execution 42 1')).toBeUndefined()
  expect(executionOf('')).toBeUndefined()
})
