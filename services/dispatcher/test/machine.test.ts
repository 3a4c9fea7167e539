import { completeEvent, type StoredChain } from '@signalbox/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Scenario, simulate } from './simulation.ts'

const MAX_ATTEMPTS = 3

const event = completeEvent({
  account_key: 'acme',
  conversation_key: 'spring',
  conversation_type: 'poll',
  event_type: 'poll_complete',
  event_data: {},
})

/** `failures` of its steps, in their order: 3 and more is for good. */
function chainOf(chainId: string, failures: readonly number[]): StoredChain {
  return {
    chain_id: chainId,
    version: 1,
    updated_at: '2026-01-01T00:00:00.000Z',
    name: chainId,
    enabled: true,
    trigger: { conversation_type: 'poll', event_type: 'poll_complete' },
    steps: failures.map((_, index) => ({
      id: `${chainId}${index}`,
      handler: `handler-${index}`,
      config: {},
      retry: { max_attempts: MAX_ATTEMPTS },
      on_error: 'stop',
    })),
  }
}

/** What a chain does when nothing goes wrong but its steps: each attempt, once. */
function attemptsOf(chainId: string, failures: readonly number[]): string[] {
  const attempts: string[] = []
  for (const [index, count] of failures.entries()) {
    for (let attempt = 1; attempt <= Math.min(count + 1, MAX_ATTEMPTS); attempt += 1) {
      attempts.push(`${chainId} ${chainId}${index} ${attempt}`)
    }
    if (count >= MAX_ATTEMPTS) break
  }
  return attempts
}

const failures = fc.array(
  fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat({ max: MAX_ATTEMPTS })),
  { minLength: 1, maxLength: 3 },
)

type Faults = Pick<Scenario, 'crashes' | 'doubledResults' | 'losses'>

/** Each attempt at any step of chain `b` is put off so often. */
const DEFERRALS = 2

/** Publishes the event `copies` times, lets everything happen, and looks at what came of it. */
async function play(
  chains: Record<string, readonly number[]>,
  copies: number,
  choose: Scenario['choose'],
  faults: Faults,
) {
  const entries = Object.entries(chains)
  const failuresByStep = new Map(
    entries.flatMap(([id, counts]) => counts.map((count, index) => [`${id}${index}`, count])),
  )
  const world = simulate({
    chains: entries.map(([id, counts]) => chainOf(id, counts)),
    failuresOf: (stepId) => failuresByStep.get(stepId) ?? 0,
    deferralsOf: (stepId) => (stepId.startsWith('b') ? DEFERRALS : 0),
    choose,
    ...faults,
  })
  for (let copy = 0; copy < copies; copy += 1) await world.publishEvent(event)
  await world.settle()
  expect(world.failures).toEqual([])

  const expected = entries.flatMap(([id, counts]) => attemptsOf(id, counts)).toSorted()
  const stopped = entries.filter(([, counts]) => counts.some((count) => count >= MAX_ATTEMPTS))
  const biography = await world.biographies.get('acme', event.event_id)
  return { world, biography, expected, stopped: stopped.map(([id]) => id) }
}

async function expectAllDone({
  world,
  biography,
  expected,
  stopped,
}: Awaited<ReturnType<typeof play>>) {
  expect([...new Set(world.effects)].toSorted()).toEqual(expected)
  for (const { chain_id, status, steps } of biography?.runs ?? []) {
    expect(status).toBe(stopped.includes(chain_id) ? 'dead_lettered' : 'succeeded')
    for (const { deferrals } of steps) {
      expect(deferrals).toBe(chain_id === 'b' ? DEFERRALS : undefined)
    }
    const told = steps.map(({ step_id, attempt }) => `${chain_id} ${step_id} ${attempt}`)
    expect(told.toSorted()).toEqual(expected.filter((attempt) => attempt.startsWith(chain_id)))
  }
  const letters = new Set(world.deadLetters.map(({ dead_letter_id }) => dead_letter_id))
  expect(letters.size).toBe(stopped.length)
}

describe('dispatchers and workers, whatever the order of things', () => {
  const world = fc.tuple(
    fc.record({ a: failures, b: failures }),
    fc.integer({ min: 1, max: 3 }),
    fc.gen(),
  )
  const chooseWith =
    (gen: fc.GeneratorValue): Scenario['choose'] =>
    (bound) =>
      bound <= 1 ? 0 : gen(fc.nat, { max: bound - 1 })

  it('run each attempt once when nobody dies, though events and results come several times', async () => {
    await fc.assert(
      fc.asyncProperty(world, async ([chains, copies, gen]) => {
        const faults = { crashes: 0, doubledResults: 5, losses: 0 }
        const played = await play(chains, copies, chooseWith(gen), faults)
        await expectAllDone(played)
        expect(played.world.effects.toSorted()).toEqual(played.expected)
      }),
      { numRuns: 60 },
    )
  })

  it('lose no run and no step when processes die between any two effects, and restart none that ended', async () => {
    await fc.assert(
      fc.asyncProperty(world, async ([chains, copies, gen]) => {
        const faults = { crashes: 6, doubledResults: 3, losses: 0 }
        const played = await play(chains, copies, chooseWith(gen), faults)
        await expectAllDone(played)
        const before = played.world.effects.length
        await played.world.publishEvent(event)
        await played.world.settle()
        expect(played.world.effects).toHaveLength(before)
      }),
      { numRuns: 100 },
    )
  })

  it('lose no run and no step when the store forgets all progress as well', async () => {
    await fc.assert(
      fc.asyncProperty(world, async ([chains, copies, gen]) => {
        const faults = { crashes: 4, doubledResults: 2, losses: 3 }
        await expectAllDone(await play(chains, copies, chooseWith(gen), faults))
      }),
      { numRuns: 60 },
    )
  })
})
