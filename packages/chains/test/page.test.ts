/** Holds docs/chains.md to the schemas, the check and the search for loops. */
import {
  type CatalogEntry,
  chainSchema,
  LIMITS,
  type Step,
  type StoredChain,
} from '@signalbox/contracts'
import { expect, test } from 'vitest'
import { checkChain, createChainGraph } from '../src/index.ts'
import { aChain } from './fixtures.ts'
import { pageOf } from './page.ts'

const { page, example } = pageOf('chains.md')

const catalog = ['create_contact', 'send_sms', 'log', 'fire_event'].map(
  (name): CatalogEntry => ({
    name,
    description: '',
    config_schema: {},
    fires: [],
    ...(name === 'fire_event' ? { fires_any: true } : {}),
    workers: [],
    registered_at: '2026-01-01T00:00:00.000Z',
  }),
)

test('the chains of the page can be saved', () => {
  const withSteps = { ...aChain(), steps: example('steps') }
  const withTrigger = { ...aChain(), trigger: example('trigger') }
  const chains = [example('chain'), example('loop'), withSteps, withTrigger]
  for (const chain of chains) expect(checkChain(chainSchema.parse(chain), catalog)).toEqual([])
})

test('the loop of the page is found as the page tells it', () => {
  const remind: StoredChain = {
    ...aChain({ chain_id: 'remind' }),
    ...chainSchema.parse(example('loop')),
  }
  const search = createChainGraph().findLoop(remind, catalog)
  const [warning] = example('warnings') as { message: string; path: string[] }[]
  expect(search.kind === 'loop' && search.loop.path).toEqual(warning?.path)
  expect(warning?.message).toBe(
    `events may go round: ${search.kind === 'loop' && search.loop.description}`,
  )
})

test('the page names every field of a step, and no other', () => {
  const section = page.split('## Steps\n')[1]?.split('\n### ')[0] ?? ''
  const told = [...section.matchAll(/^\| `(\w+)`/gm)].map(([, field]) => field)
  expect(told.toSorted()).toEqual(Object.keys(FIELDS).toSorted())
})

const FIELDS: Record<keyof Step, true> = {
  id: true,
  handler: true,
  config: true,
  when: true,
  retry: true,
  timeout_ms: true,
  on_error: true,
}

test('the page gives the limits that hold', () => {
  expect(page).toContain(`after ${LIMITS.maxHops} hops`)
  expect(page).toContain(`may nest ${LIMITS.maxOnErrorDepth} deep`)
  expect(page.replaceAll('\n', ' ')).toContain(
    `${LIMITS.maxChainBytes / 1024} KiB as JSON, ${LIMITS.maxStepsPerChain} steps in one list, and ${LIMITS.maxExpressionChars.toLocaleString('en')} characters`,
  )
})
