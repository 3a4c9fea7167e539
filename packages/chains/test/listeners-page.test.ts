/** Holds docs/listeners.md to the schemas, the names and the expressions. */
import {
  chainOfListener,
  chainSchema,
  completeEvent,
  eventFromMistral,
  listenerInputSchema,
  listenerSchema,
  MISTRAL_EVENT_GROUPS,
  MISTRAL_ON_EVENTS,
  mistralNotificationSchema,
  splitCallback,
} from '@signalbox/contracts'
import { compileCondition } from '@signalbox/expressions'
import { expect, test } from 'vitest'
import { checkChain } from '../src/index.ts'
import { pageOf } from './page.ts'

const { page, example } = pageOf('listeners.md')

const NOTIFICATION = {
  id: 'task',
  name: 'send_invoice',
  workflow_execution_id: 'execution',
  workflow_name: 'billing.monthly',
  state: 'SUCCESS',
  state_info: null,
  project_id: 'demo',
  event: 'TASK_SUCCEEDED',
}

test('the listener of the page can be saved, and makes a chain that can', () => {
  const { signature: _signature, ...input } = listenerInputSchema.parse(example('listener'))
  const at = '2026-01-31T09:30:00.000Z'
  const listener = listenerSchema.parse({
    ...input,
    listener_id: 'l',
    callback: splitCallback(input.callback).callback,
    state: 'active',
    created_at: at,
    updated_at: at,
    version: 1,
  })
  const handler = {
    name: 'http_callback',
    description: '',
    config_schema: {},
    fires: [],
    workers: [],
    registered_at: at,
  }
  expect(checkChain(chainSchema.parse(chainOfListener(listener)), [handler])).toEqual([])
})

test('what Mistral is told to notify is a listener too, as it is written', () => {
  const { notify } = example('notify') as { notify: object[] }
  expect(listenerInputSchema.parse(notify[0])).toMatchObject({ callback: { type: 'webhook' } })
})

test('the page gives every name of Mistral and what it stands for', () => {
  const rows = [...page.matchAll(/^\| `(EXECUTION|TASK|on-[a-z-]+)` +\| (.*?) +\|$/gm)]
  const told = rows.map(([, name, types]) => [name, types!.replaceAll('`', '').split(' ')])
  expect(told).toEqual(Object.entries({ ...MISTRAL_EVENT_GROUPS, ...MISTRAL_ON_EVENTS }))
})

test('each condition of Mistral has one in CEL that says the same', () => {
  const rows = [...page.matchAll(/^\| `(\$\.[^`]+)` +\| `([^`]+)` +\|$/gm)]
  const truths = rows.map(([, mistral, cel]) => {
    const verdict = (overrides: object) =>
      compileCondition(cel!.replaceAll('\\|', '|')).evaluate({
        event: completeEvent(
          eventFromMistral(
            'acme',
            mistralNotificationSchema.parse({ ...NOTIFICATION, ...overrides }),
          ),
        ),
      })
    const failed = {
      state: 'ERROR',
      state_info: 'no',
      name: 'x',
      workflow_name: 'y',
      project_id: 'z',
    }
    return [mistral, verdict({}), verdict(failed)]
  })
  expect(truths).toHaveLength(7)
  for (const [mistral, now, failed] of truths) {
    const isAboutFailure = mistral === '$.execution.error != null'
    expect([now, failed], String(mistral)).toEqual([!isAboutFailure, isAboutFailure])
  }
})
