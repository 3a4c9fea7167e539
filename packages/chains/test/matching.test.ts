import type { StoredChain, Trigger, VumiApiEvent } from '@signalbox/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createChainIndex } from '../src/index.ts'
import { aChain, anEvent } from './fixtures.ts'

describe('the chain index', () => {
  it('runs a chain whose trigger names the kind of event', () => {
    const index = indexOf(
      aChain({ chain_id: 'a' }),
      aChain({ chain_id: 'b', trigger: { conversation_type: 'poll', event_type: 'other' } }),
    )
    expect(idsMatched(index.match(anEvent()))).toEqual(['a'])
  })

  it('runs a chain once for each of the event types that its trigger names, also when one is named twice', () => {
    const several: Trigger = {
      conversation_type: 'poll',
      event_type: ['poll_complete', 'poll_begun', 'poll_begun'],
      conversation_key: 'spring',
    }
    const index = indexOf(aChain({ trigger: several }))
    for (const event_type of ['poll_complete', 'poll_begun']) {
      expect(idsMatched(index.match(anEvent({ event_type })))).toEqual(['chain'])
    }
    expect(index.match(anEvent({ event_type: 'poll_left' })).reason).toBe(
      "none of the account's 1 chains has a trigger for poll.poll_left",
    )
    expect(
      index.match(anEvent({ event_type: 'poll_begun', conversation_key: 'autumn' })).notMatched,
    ).toMatchObject([{ reason: 'conversation_key is "autumn", the trigger wants "spring"' }])
    index.upsert(aChain({ trigger: { ...several, event_type: 'poll_begun' } }))
    expect(index.match(anEvent()).matched).toEqual([])
    index.remove('chain')
    expect(index.match(anEvent({ event_type: 'poll_begun' })).matched).toEqual([])
  })

  it('tells an event of another conversation why the chain did not run', () => {
    const index = indexOf(
      aChain({
        trigger: {
          conversation_type: 'poll',
          event_type: 'poll_complete',
          conversation_key: 'spring',
        },
      }),
    )
    const outcome = index.match(anEvent({ conversation_key: 'autumn' }))
    expect(outcome.matched).toEqual([])
    expect(outcome.notMatched).toEqual([
      {
        chain_id: 'chain',
        name: 'A chain',
        reason: 'conversation_key is "autumn", the trigger wants "spring"',
      },
    ])
  })

  it('tells the condition that was false, and the one that could not be evaluated', () => {
    const when = (text: string): Trigger => ({
      conversation_type: 'poll',
      event_type: 'poll_complete',
      when: text,
    })
    const index = indexOf(
      aChain({ chain_id: 'false', trigger: when('event.event_data.score > 5') }),
      aChain({ chain_id: 'broken', trigger: when('event.event_data.absent > 5') }),
    )
    const reasons = Object.fromEntries(
      index
        .match(anEvent({ event_data: { score: 3 } }))
        .notMatched.map(({ chain_id, reason }) => [chain_id, reason]),
    )
    expect(reasons.false).toBe('the condition is false: event.event_data.score > 5')
    expect(reasons.broken).toMatch(/cannot be evaluated: .*absent/)
  })

  it('runs the default chain for events that no other chain matched, and only for those', () => {
    const index = indexOf(
      aChain({ chain_id: 'a' }),
      aChain({ chain_id: 'fallback', trigger: { default: true } }),
    )
    expect(idsMatched(index.match(anEvent()))).toEqual(['a'])
    const other = index.match(anEvent({ event_type: 'unheard_of' }))
    expect(idsMatched(other)).toEqual(['fallback'])
    expect(other.byDefault).toBe(true)
  })

  it('says that a chain is not enabled instead of running it', () => {
    const outcome = indexOf(aChain({ enabled: false })).match(anEvent())
    expect(outcome.matched).toEqual([])
    expect(outcome.notMatched[0]?.reason).toBe('the chain is not enabled')
  })

  it('says what the account has when nothing came near', () => {
    expect(createChainIndex().match(anEvent()).reason).toBe('the account has no chains')
    expect(indexOf(aChain()).match(anEvent({ event_type: 'x' })).reason).toBe(
      "none of the account's 1 chains has a trigger for poll.x",
    )
  })

  it('names at most 20 near misses, however many there are', () => {
    const index = createChainIndex()
    for (let i = 0; i < 1_000; i++) {
      index.upsert(
        aChain({
          chain_id: `c${i}`,
          trigger: {
            conversation_type: 'poll',
            event_type: 'poll_complete',
            conversation_key: `k${i}`,
          },
        }),
      )
    }
    expect(index.match(anEvent({ conversation_key: 'none' })).notMatched).toHaveLength(20)
  })

  it('looks at the chains that may fit and not at all of them', () => {
    const index = createChainIndex()
    let reads = 0
    for (let i = 0; i < 10_000; i++) {
      const chain = aChain({
        chain_id: `c${i}`,
        trigger: {
          conversation_type: 'poll',
          event_type: 'poll_complete',
          conversation_key: `k${i}`,
        },
      })
      index.upsert(
        new Proxy(chain, {
          get(target, property, receiver) {
            reads++
            return Reflect.get(target, property, receiver)
          },
        }),
      )
    }
    reads = 0
    expect(idsMatched(index.match(anEvent({ conversation_key: 'k77' })))).toEqual(['c77'])
    expect(reads).toBeLessThan(500)
  })

  it('matches what a naive scan of all chains matches, after any inserts, replacements and removals', () => {
    const name = fc.constantFrom('a', 'b', '*')
    const chain = fc.record({
      chain_id: fc.constantFrom('1', '2', '3', '4', '5', '6'),
      enabled: fc.boolean(),
      trigger: fc.oneof(
        fc.constant<Trigger>({ default: true }),
        fc.record(
          {
            conversation_type: name,
            event_type: fc.oneof(
              name,
              fc.array(fc.constantFrom('a', 'b', 'd'), { minLength: 1, maxLength: 4 }),
            ),
            conversation_key: fc.constantFrom('x', 'y'),
            when: fc.constantFrom('event.event_data.n > 1'),
          },
          { requiredKeys: ['conversation_type', 'event_type'] },
        ),
      ),
    })
    const change = fc.oneof(chain, fc.record({ remove: fc.constantFrom('1', '2', '3') }))
    const event = fc.record({
      conversation_type: fc.constantFrom('a', 'b', 'c'),
      event_type: fc.constantFrom('a', 'b', 'c'),
      conversation_key: fc.constantFrom('x', 'y', 'z'),
      event_data: fc.record({ n: fc.integer({ min: 0, max: 3 }) }),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), event, (changes, overrides) => {
        const index = createChainIndex()
        const all = new Map<string, StoredChain>()
        for (const step of changes) {
          if ('remove' in step) {
            index.remove(step.remove)
            all.delete(step.remove)
          } else {
            const stored = aChain(step)
            index.upsert(stored)
            all.set(stored.chain_id, stored)
          }
        }
        const incoming = anEvent(overrides)
        expect(idsMatched(index.match(incoming)).toSorted()).toEqual(
          naiveMatch([...all.values()], incoming),
        )
        expect(index.size).toBe(all.size)
      }),
    )
  })
})

function naiveMatch(chains: readonly StoredChain[], event: VumiApiEvent): string[] {
  const enabled = chains.filter((chain) => chain.enabled)
  const fits = enabled.filter(({ trigger }) => {
    if ('default' in trigger) return false
    if (trigger.conversation_type !== '*' && trigger.conversation_type !== event.conversation_type)
      return false
    const types = [trigger.event_type].flat()
    if (!types.includes('*') && !types.includes(event.event_type)) return false
    if (
      trigger.conversation_key !== undefined &&
      trigger.conversation_key !== event.conversation_key
    )
      return false
    return trigger.when === undefined || Number(event.event_data.n) > 1
  })
  const chosen = fits.length > 0 ? fits : enabled.filter(({ trigger }) => 'default' in trigger)
  return chosen.map((chain) => chain.chain_id).toSorted()
}

function indexOf(...chains: StoredChain[]) {
  const index = createChainIndex()
  for (const chain of chains) index.upsert(chain)
  return index
}

function idsMatched(outcome: { matched: readonly StoredChain[] }): string[] {
  return outcome.matched.map((chain) => chain.chain_id)
}
