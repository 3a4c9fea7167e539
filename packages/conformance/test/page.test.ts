/** Holds docs/handler-workers.md to the rules and the schemas, and docs/websocket-protocol.md to the rules of edges. */
import { readFileSync } from 'node:fs'
import { invocationBatchSchema, LIMITS, stepResultBatchSchema } from '@signalbox/contracts'
import { expect, test } from 'vitest'
import { EDGE_RULES, WORKER_RULES } from '../src/index.ts'

const pageOf = (name: string) =>
  readFileSync(new URL(`../../../docs/${name}.md`, import.meta.url), 'utf8')
const page = pageOf('handler-workers')

function example(name: string): unknown {
  const [, text] =
    new RegExp(`<!-- page-test: ${name} -->\n+\`\`\`json\n([^]*?)\n\`\`\``).exec(page) ?? []
  return JSON.parse(text ?? 'null')
}

test.each([
  ['handler-workers', WORKER_RULES],
  ['websocket-protocol', EDGE_RULES],
])('%s has every rule with its text, in the order of the checks, and no other', (name, rules) => {
  const section = pageOf(name).split('## The rules, checked\n')[1] ?? ''
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  const told = rows.map((row) => {
    const [, id = '', rule = ''] = row.split('|').map((cell) => cell.trim())
    return [id.replaceAll('`', ''), rule]
  })
  expect(told).toEqual(Object.entries(rules))
})

test('the examples of the page are what goes over the wire', () => {
  const [invocation] = invocationBatchSchema.parse(example('invocations'))
  const [result] = stepResultBatchSchema.parse(example('results'))
  expect(result?.invocation_id).toBe(invocation?.invocation_id)
  expect(result?.context.event).toEqual(invocation?.context.event)
})

test('the page gives the limits that hold', () => {
  expect(page).toContain(`array of 1 to ${LIMITS.maxBatchItems} invocations`)
  expect(page).toContain(`at most ${LIMITS.maxBatchBytes / 1024 ** 2} MiB`)
  expect(page).toContain(`at most ${LIMITS.maxStepOutputBytes / 1024} KiB`)
})
