import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Admission, createAdmissions } from '../src/admission.ts'

const DELIVERED = { verdict: 'success' } as const
const FAILED = { verdict: 'failure' } as const

type Entered = Extract<Admission, { go: true }>

function entered(admission: Admission): Entered {
  if (!admission.go) throw new Error(`was sent away: ${admission.reason}`)
  return admission
}

/** A clock by hand, and the requests of one world. */
function world(options: Parameters<typeof createAdmissions>[0] = {}) {
  const clock = { nowMs: 0 }
  const admissions = createAdmissions(options, { now: () => clock.nowMs, random: () => 0.5 })
  const admit = (accountKey: string, listenerId: string, more: object = {}) =>
    admissions.admit({ accountKey, listenerId, deferrals: 0, ...more })
  return { admissions, clock, admit }
}

/** Fills an endpoint that takes `durationMs`, so that its pace is known. */
async function filled(
  { admit, clock }: ReturnType<typeof world>,
  {
    accountKey,
    listenerId,
    count,
    durationMs,
  }: Record<'accountKey' | 'listenerId', string> & {
    count: number
    durationMs: number
  },
): Promise<Entered[]> {
  const first = entered(await admit(accountKey, listenerId))
  clock.nowMs += durationMs
  first.settle(DELIVERED)
  const all: Entered[] = []
  for (let index = 0; index < count; index += 1) {
    all.push(entered(await admit(accountKey, listenerId)))
  }
  return all
}

describe('admission', () => {
  it('sends away who finds a slow endpoint full, and lets others of the account in', async () => {
    const it = world({ endpointConcurrency: 2 })
    await filled(it, { accountKey: 'a', listenerId: 'slow', count: 2, durationMs: 9_000 })
    expect(await it.admit('a', 'slow')).toMatchObject({ go: false, reason: 'busy' })
    expect(await it.admit('a', 'other')).toMatchObject({ go: true })
    expect(it.admissions.waiting).toBe(0)
  })

  it('lets who finds a quick endpoint full wait for a place, in the order in which they came', async () => {
    const it = world({ endpointConcurrency: 2 })
    const held = await filled(it, { accountKey: 'a', listenerId: 'quick', count: 2, durationMs: 3 })
    const order: number[] = []
    const waiting = [0, 1, 2].map(async (name) => {
      const { settle } = entered(await it.admit('a', 'quick'))
      order.push(name)
      settle(DELIVERED)
    })
    expect(it.admissions.waiting).toBe(3)
    held[0]!.settle(DELIVERED)
    await Promise.all(waiting)
    expect(order).toEqual([0, 1, 2])
    expect(it.admissions).toMatchObject({ waiting: 0, inFlight: 1 })
  })

  it('keeps the share of an account, however many endpoints it has, and nobody else minds', async () => {
    const it = world({ endpointConcurrency: 2, accountConcurrency: 4 })
    for (const listenerId of ['one', 'two']) {
      await filled(it, { accountKey: 'a', listenerId, count: 2, durationMs: 9_000 })
    }
    expect(await it.admit('a', 'three')).toMatchObject({ go: false, reason: 'account' })
    expect(await it.admit('b', 'three')).toMatchObject({ go: true })
  })

  it('tells the next one when who was told of a place does not take it', async () => {
    const it = world({ endpointConcurrency: 2, accountConcurrency: 2 })
    const held = await filled(it, { accountKey: 'a', listenerId: 'one', count: 2, durationMs: 3 })
    const [first, second] = [it.admit('a', 'one'), it.admit('a', 'two')]
    held[0]!.settle(DELIVERED)
    held[1]!.settle(DELIVERED)
    expect(await Promise.all([first, second])).toMatchObject([{ go: true }, { go: true }])
  })

  it('sends away behind an open circuit, not before its probe and not all at once', async () => {
    const it = world({ circuit: { failuresToOpen: 2, firstProbeMs: 8_000 } })
    for (const _ of [1, 2]) entered(await it.admit('a', 'dead')).settle(FAILED)
    expect(it.admissions.countOpen()).toBe(1)
    const away = await Promise.all(Array.from({ length: 100 }, () => it.admit('a', 'dead')))
    const times = away.map((each) => (each.go ? 0 : each.retryAfterMs))
    expect(times[0]).toBe(6_000)
    expect(times.at(-1)).toBe(6_990)
    it.clock.nowMs = 6_000
    entered(await it.admit('a', 'dead')).settle(DELIVERED)
    expect(it.admissions.countOpen()).toBe(0)
  })

  it('minds the rate of the listener', async () => {
    const it = world()
    const limits = { per_second: 20 }
    const answers = []
    for (let index = 0; index < 30; index += 1) {
      const admission = await it.admit('a', 'one', { limits })
      if (admission.go) admission.settle(DELIVERED)
      answers.push(admission.go)
    }
    expect(answers.filter(Boolean)).toHaveLength(20)
  })

  it('never lets more in than may be, and leaves nobody waiting for ever, whatever the order', async () => {
    const step = fc.record({ account: fc.nat({ max: 1 }), listener: fc.nat({ max: 2 }) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 40 }),
        fc.gen(),
        async (steps, gen) => {
          const it = world({
            endpointConcurrency: 2,
            accountConcurrency: 3,
            line: { maxWaitMs: 60_000 },
          })
          const open: { key: string; settle: () => void }[] = []
          const ends = steps.map(async ({ account, listener }) => {
            const key = `a${account} l${listener}`
            const admission = await it.admit(`a${account}`, `l${listener}`)
            if (!admission.go) return 'away'
            open.push({
              key,
              settle: () => {
                it.clock.nowMs += 1
                admission.settle(gen(fc.boolean) ? DELIVERED : { verdict: 'neutral' })
              },
            })
            for (const prefix of ['a0', 'a1']) {
              const ofAccount = open.filter((each) => each.key.startsWith(prefix))
              expect(ofAccount.length).toBeLessThanOrEqual(3)
              for (const name of ['l0', 'l1', 'l2']) {
                const count = ofAccount.filter((each) => each.key.endsWith(name)).length
                expect(count).toBeLessThanOrEqual(2)
              }
            }
            return 'in'
          })
          for (;;) {
            await new Promise((resolve) => setImmediate(resolve))
            if (open.length === 0) break
            const [one] = open.splice(gen(fc.nat, { max: open.length - 1 }), 1)
            one!.settle()
          }
          expect(it.admissions).toMatchObject({ inFlight: 0, waiting: 0 })
          expect(await Promise.all(ends)).toContain('in')
        },
      ),
      { numRuns: 100 },
    )
  })
})
