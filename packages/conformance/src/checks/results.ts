/** What holds for every answer, looked at when all have been seen. */
import { LIMITS, stepResultSchema } from '@signalbox/contracts'
import { parseInput } from '@signalbox/kit'
import type { Bench } from '../bench.ts'
import type { Check } from '../check.ts'
import { NotChecked, Violation } from '../rule.ts'

export const sendsResults: Check = async ({ bench }) => {
  for (const { fault, results } of answersTo(bench)) {
    if (fault !== undefined) throw new Violation(fault)
    if (results.length === 0 || results.length > LIMITS.maxBatchItems) {
      throw new Violation(`an answer has ${results.length} results`)
    }
    for (const result of results) requireFields(result)
  }
}

function requireFields(result: unknown): void {
  try {
    const { status, error } = parseInput(stepResultSchema, result, 'a result')
    if (status === 'failed' && !error) throw new Violation('a failed result has no error')
  } catch (error) {
    throw new Violation((error as Error).message)
  }
}

export const boundsResults: Check = async ({ bench }) => {
  for (const { body, results } of answersTo(bench)) {
    if (body.length > LIMITS.maxBatchBytes) {
      throw new Violation(`an answer has ${body.length} bytes`)
    }
    for (const { output } of results) {
      const bytes = output === undefined ? 0 : Buffer.byteLength(JSON.stringify(output))
      if (bytes > LIMITS.maxStepOutputBytes) throw new Violation(`an output has ${bytes} bytes`)
    }
  }
}

export const sendsPersistent: Check = async ({ bench }) => {
  for (const { properties } of answersTo(bench)) {
    const { deliveryMode, contentType }: { deliveryMode?: unknown; contentType?: unknown } =
      properties
    if (deliveryMode !== 2)
      throw new Violation(`an answer has delivery_mode ${deliveryMode ?? 'unset'}`)
    if (contentType !== 'application/json') {
      throw new Violation(`an answer has the content type ${JSON.stringify(contentType)}`)
    }
  }
}

function answersTo({ answers }: Bench): Bench['answers'] {
  if (answers.length > 0) return answers
  throw new NotChecked('there was no answer')
}
