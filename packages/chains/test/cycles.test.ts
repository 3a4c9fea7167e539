import type { CatalogEntry, JsonObject, Step, StoredChain, Trigger } from '@signalbox/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createChainGraph, mayFire } from '../src/index.ts'
import { aChain, aStep } from './fixtures.ts'

const catalog = [
  entry('log', {}),
  entry('fire_event', { fires_any: true }),
  entry('script', { fires_any: true }),
  entry('send', { fires: [{ conversation_type: 'sms', event_type: 'sent' }] }),
  entry('score', { fires: [{ conversation_type: 'poll', event_type: 'poll_complete' }] }),
]

it('only steps whose handlers fire something make a chain worth a search', () => {
  const quiet = aStep({ handler: 'log' })
  const nested = aStep({ on_error: { steps: [fire({ event_type: 'failed' })] } })
  expect(mayFire(chain('a', { default: true }, quiet, aStep({ handler: 'gone' })), catalog)).toBe(
    false,
  )
  expect(mayFire(chain('a', { default: true }, quiet, nested), catalog)).toBe(true)
})

describe('the search for a loop', () => {
  it('names the shortest path back to the chain, with the kinds of events between', () => {
    const graph = graphOf(
      chain('b', on('sms', 'sent'), aStep({ handler: 'score' })),
      chain('detour', on('sms', 'sent'), fire({ conversation_type: 'x', event_type: 'y' })),
      chain('c', on('x', 'y'), aStep({ handler: 'score' })),
    )
    const saved = chain('a', on('poll', 'poll_complete'), aStep({ handler: 'send' }))
    expect(graph.findLoop(saved, catalog)).toEqual({
      kind: 'loop',
      loop: {
        path: ['a', 'b', 'a'],
        description: 'a -> (sms.sent) -> b -> (poll.poll_complete) -> a',
      },
    })
  })

  it('finds a chain that starts itself', () => {
    const saved = chain('a', on('poll', 'poll_complete'), aStep({ handler: 'score' }))
    expect(pathOf(graphOf(), saved)).toEqual(['a', 'a'])
  })

  it('finds none where the events lead elsewhere, or only others go round', () => {
    const saved = chain('a', on('poll', 'poll_complete'), aStep({ handler: 'send' }))
    const others = [
      chain('b', on('sms', 'sent'), fire({ event_type: 'sent' })),
      chain('c', on('sms', 'failed'), aStep({ handler: 'score' })),
    ]
    expect(graphOf(...others).findLoop(saved, catalog)).toEqual({ kind: 'none' })
  })

  it('follows the steps of on_error, however deep', () => {
    const deep = aStep({ on_error: { steps: [aStep({ id: 'deep', handler: 'score' })] } })
    const saved = chain('a', on('poll', '*'), aStep({ on_error: { steps: [deep] } }))
    expect(pathOf(graphOf(), saved)).toEqual(['a', 'a'])
  })

  it('reads what fire_event says literally, and takes the rest from the event that is handled', () => {
    const loops = (trigger: Trigger, config: JsonObject) =>
      graphOf().findLoop(chain('a', trigger, fire(config)), catalog).kind === 'loop'
    expect(loops(on('poll', 'done'), { event_type: 'done' })).toBe(true)
    expect(loops(on('poll', 'done'), { event_type: 'other' })).toBe(false)
    expect(loops(on('poll', 'done'), { conversation_type: 'sms', event_type: 'done' })).toBe(false)
    expect(loops(on('poll', 'done'), { event_type: '${{ event.event_data.next }}' })).toBe(true)
    const here = on('poll', 'done', 'here')
    expect(loops(here, { event_type: 'done' })).toBe(true)
    expect(loops(here, { event_type: 'done', conversation_key: 'there' })).toBe(false)
  })

  it('takes a handler that may fire anything to start every chain', () => {
    const saved = chain('a', on('poll', 'done'), aStep({ handler: 'script' }))
    expect(pathOf(graphOf(), saved)).toEqual(['a', 'a'])
  })

  it('finds the way through a trigger of several event types, and names the one that is fired', () => {
    const several = { conversation_type: 'sms', event_type: ['failed', 'sent'] }
    const back = chain('b', several, aStep({ handler: 'score' }))
    const saved = chain('a', on('poll', 'poll_complete'), aStep({ handler: 'send' }))
    expect(graphOf(back).findLoop(saved, catalog)).toMatchObject({
      loop: { description: 'a -> (sms.sent) -> b -> (poll.poll_complete) -> a' },
    })
    const graph = graphOf(back)
    graph.remove('b')
    expect(pathOf(graph, saved)).toBeUndefined()
    const anything = chain('c', several, aStep({ handler: 'script' }))
    expect(graphOf().findLoop(anything, catalog)).toMatchObject({
      loop: { description: 'c -> (sms.failed|sent) -> c' },
    })
  })

  it('leads to the default chain what no other chain surely takes', () => {
    const fallback = chain('fallback', { default: true }, aStep({ handler: 'score' }))
    const saved = (trigger: Trigger) => chain('a', trigger, aStep({ handler: 'send' }))
    const poll = on('poll', 'poll_complete')
    expect(pathOf(graphOf(fallback), saved(poll))).toEqual(['a', 'fallback', 'a'])
    const sometimes = chain('sometimes', { ...on('sms', 'sent'), when: 'true' })
    expect(pathOf(graphOf(fallback, sometimes), saved(poll))).toEqual(['a', 'fallback', 'a'])
    const always = chain('always', on('sms', '*'))
    expect(pathOf(graphOf(fallback, always), saved(poll))).toBeUndefined()
  })

  it('leaves out chains that are not enabled, and says nothing about one that is not', () => {
    const self = chain('a', on('poll', 'poll_complete'), aStep({ handler: 'score' }))
    expect(graphOf().findLoop({ ...self, enabled: false }, catalog)).toEqual({ kind: 'none' })
    const off = { ...chain('b', on('sms', 'sent'), aStep({ handler: 'score' })), enabled: false }
    const saved = chain('a', on('poll', 'poll_complete'), aStep({ handler: 'send' }))
    expect(graphOf(off).findLoop(saved, catalog)).toEqual({ kind: 'none' })
  })

  it('looks at the chain as it would be, and leaves the graph as it was', () => {
    const before = chain('a', on('poll', 'poll_complete'), aStep({ handler: 'score' }))
    const graph = graphOf(before)
    expect(pathOf(graph, { ...before, steps: [aStep()] })).toBeUndefined()
    expect(pathOf(graph, before)).toEqual(['a', 'a'])
    expect(pathOf(graph, chain('new', on('x', 'y'), fire({ event_type: 'y' })))).toBeDefined()
    expect(graph.size).toBe(1)
  })

  it('passes 20,000 chains of other kinds and conversations without a look at them', () => {
    const graph = createChainGraph({ maxLooks: 100 })
    for (let n = 0; n < 20_000; n++) {
      const trigger = n % 2 ? on('poll', `kind-${n}`) : on('poll', 'done', `conversation-${n}`)
      graph.upsert(chain(`c${n}`, trigger, fire({ event_type: 'done' })))
    }
    const saved = chain('a', on('poll', 'said', 'mine'), fire({ event_type: 'done' }))
    expect(graph.findLoop(saved, catalog)).toEqual({ kind: 'none' })
  })

  it('is cut at its bound, and says so', () => {
    const graph = createChainGraph({ maxLooks: 1_000 })
    for (let n = 0; n < 2_000; n++) {
      graph.upsert(chain(`c${n}`, on('poll', `n${n}`), fire({ event_type: `n${n + 1}` })))
    }
    const saved = chain('a', on('poll', 'x'), fire({ event_type: 'n0' }))
    expect(graph.findLoop(saved, catalog)).toEqual({ kind: 'cut', looks: 1_000 })
  })

  it('finds a loop exactly where a naive search over all kinds of events does', () => {
    const part = fc.constantFrom('a', 'b', '*')
    const trigger = fc.oneof(
      { weight: 1, arbitrary: fc.constant<Trigger>({ default: true }) },
      {
        weight: 6,
        arbitrary: fc.record(
          {
            conversation_type: part,
            event_type: fc.oneof(
              part,
              fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 3 }),
            ),
            conversation_key: fc.constantFrom('a', 'b'),
            when: fc.constantFrom('event.event_data.n > 1'),
          },
          { requiredKeys: ['conversation_type', 'event_type'] },
        ),
      },
    )
    const value = fc.constantFrom('a', 'b', '${{ event.person_key }}')
    const step = fc.oneof(
      fc.constantFrom(aStep({ handler: 'fires_ab' }), aStep({ handler: 'fires_ba' }), aStep()),
      fc
        .record(
          { conversation_type: value, event_type: value, conversation_key: value },
          { requiredKeys: ['event_type'] },
        )
        .map((config) => fire(config)),
    )
    const chains = fc.uniqueArray(
      fc
        .record({
          chain_id: fc.constantFrom('1', '2', '3', '4', '5', '6'),
          enabled: fc.boolean(),
          trigger,
          steps: fc.array(step, { minLength: 1, maxLength: 2 }),
        })
        .map((overrides) => aChain(overrides)),
      { selector: ({ chain_id }) => chain_id, minLength: 1, maxLength: 6 },
    )
    const handlers = [
      ...catalog,
      entry('fires_ab', { fires: [{ conversation_type: 'a', event_type: 'b' }] }),
      entry('fires_ba', { fires: [{ conversation_type: 'b', event_type: 'a' }] }),
    ]
    let loops = 0
    fc.assert(
      fc.property(chains, fc.boolean(), (all, isReplacement) => {
        const [saved, ...others] = all as [StoredChain, ...StoredChain[]]
        const graph = graphOf(...others, ...(isReplacement ? [{ ...saved, steps: [] }] : []))
        const found = graph.findLoop(saved, handlers)
        loops += found.kind === 'loop' ? 1 : 0
        expect(found.kind === 'loop' ? found.loop.path.length - 1 : undefined).toBe(
          naiveLoopLength(all, saved, handlers),
        )
      }),
      { numRuns: 500 },
    )
    expect(loops).toBeGreaterThan(20)
  })
})

/** Every kind there is, `z` standing for whatever no chain names. */
const PARTS = ['a', 'b', 'z']
const EVERY_EVENT = PARTS.flatMap((type) =>
  PARTS.flatMap((kind) => PARTS.map((conversation) => [type, kind, conversation] as const)),
)
type NaiveEvent = (typeof EVERY_EVENT)[number]

/** Chains on the shortest way round, by trying every event at every chain. */
function naiveLoopLength(
  all: readonly StoredChain[],
  saved: StoredChain,
  handlers: readonly CatalogEntry[],
): number | undefined {
  const enabled = all.filter((candidate) => candidate.enabled)
  let reached = new Set(enabled.filter((candidate) => candidate === saved))
  for (let length = 1; length <= all.length; length++) {
    const events = EVERY_EVENT.filter((event) =>
      [...reached].some(({ steps, trigger }) =>
        steps.some((step) => naivelyFires(step, trigger, event, handlers)),
      ),
    )
    reached = new Set(events.flatMap((event) => naivelyStarted(enabled, event)))
    if (reached.has(saved)) return length
  }
  return undefined
}

function naivelyStarted(enabled: readonly StoredChain[], event: NaiveEvent): StoredChain[] {
  const fitting = enabled.filter(({ trigger }) => 'default' in trigger || takes(trigger, event))
  const isTaken = fitting.some(({ trigger }) => !('default' in trigger) && !trigger.when)
  return fitting.filter(({ trigger }) => !('default' in trigger) || !isTaken)
}

function takes(
  trigger: Exclude<Trigger, { default: true }>,
  [type, kind, conversation]: NaiveEvent,
) {
  return (
    ['*', type].includes(trigger.conversation_type) &&
    [trigger.event_type].flat().some((taken) => ['*', kind].includes(taken)) &&
    [undefined, conversation].includes(trigger.conversation_key)
  )
}

function naivelyFires(
  { handler, config }: Step,
  trigger: Trigger,
  [type, kind, conversation]: NaiveEvent,
  handlers: readonly CatalogEntry[],
): boolean {
  if (handler !== 'fire_event') {
    const fires = handlers.find(({ name }) => name === handler)?.fires ?? []
    return fires.some((one) => one.conversation_type === type && one.event_type === kind)
  }
  const handled = 'default' in trigger ? undefined : trigger
  const may = (text: unknown, actual: string) =>
    text === undefined || text === '*' || text === actual || String(text).startsWith('${{')
  return (
    may(config.conversation_type ?? handled?.conversation_type, type) &&
    may(config.event_type, kind) &&
    may(config.conversation_key ?? handled?.conversation_key, conversation)
  )
}

function entry(name: string, overrides: Partial<CatalogEntry>): CatalogEntry {
  return {
    name,
    description: '',
    config_schema: {},
    fires: [],
    workers: [],
    registered_at: '2026-01-01T00:00:00.000Z',
    ...overrides,
  }
}

function chain(chain_id: string, trigger: Trigger, ...steps: Step[]): StoredChain {
  return aChain({ chain_id, trigger, steps: steps.length > 0 ? steps : [aStep()] })
}

function on(conversation_type: string, event_type: string, conversation_key?: string) {
  return {
    conversation_type,
    event_type,
    ...(conversation_key === undefined ? {} : { conversation_key }),
  }
}

function fire(config: JsonObject): Step {
  return aStep({ handler: 'fire_event', config })
}

function graphOf(...chains: StoredChain[]) {
  const graph = createChainGraph()
  for (const one of chains) graph.upsert(one)
  return graph
}

function pathOf(graph: ReturnType<typeof createChainGraph>, saved: StoredChain) {
  const found = graph.findLoop(saved, catalog)
  return found.kind === 'loop' ? found.loop.path : undefined
}
