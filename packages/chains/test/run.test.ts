import { attemptIdOf, type Json, type RunContext, type Step } from '@signalbox/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { advanceRun, MAX_DEFERRALS, type Move, resumeRun, startRun } from '../src/index.ts'
import { aChain, anEvent, aStep } from './fixtures.ts'

type Answer = Parameters<typeof advanceRun>[1]

const succeeded = (output?: Json): Answer => ({
  attempt: 1,
  status: 'succeeded',
  ...(output === undefined ? {} : { output }),
})
/** For good. */
const failed: Answer = {
  attempt: 1,
  status: 'failed',
  error: { code: 'GATEWAY_DOWN', message: 'no answer', retryable: false },
}

describe('a run', () => {
  it('invokes the first step with its templates resolved', () => {
    const chain = aChain({
      steps: [
        aStep({
          config: {
            text: 'Hello ${{ event.event_data.name }}',
            n: '${{ event.event_data.n + 1 }}',
          },
        }),
      ],
    })
    const { invocation } = invoked(startRun(anEvent({ event_data: { name: 'Ada', n: 1 } }), chain))
    expect(invocation).toMatchObject({
      handler: 'log',
      attempt: 1,
      config: { text: 'Hello Ada', n: 2 },
    })
  })

  it('has the same identities for the same event and chain, and others for another', () => {
    const event = anEvent()
    const [first, again, other] = [
      startRun(event, aChain()),
      startRun(event, aChain()),
      startRun(event, aChain({ chain_id: 'other' })),
    ].map(invoked)
    expect(again?.invocation.invocation_id).toBe(first?.invocation.invocation_id)
    expect(other?.invocation.context.run_id).not.toBe(first?.invocation.context.run_id)
  })

  it('shows each step the outputs of the steps before it, and ends after the last', () => {
    const chain = aChain({
      steps: [aStep(), aStep({ id: 'two', config: { key: '${{ results.one.key }}' } })],
    })
    const first = invoked(startRun(anEvent(), chain))
    const second = invoked(advanceRun(first.invocation.context, succeeded({ key: 'k1' })))
    expect(second.invocation.config).toEqual({ key: 'k1' })
    expect(advanceRun(second.invocation.context, succeeded())).toMatchObject({
      kind: 'end',
      outcome: 'succeeded',
      context: { results: { one: { key: 'k1' }, two: null } },
    })
  })

  it('skips a step whose condition is false and tells so', () => {
    const chain = aChain({
      steps: [aStep({ when: 'event.event_data.n > 1' }), aStep({ id: 'two' })],
    })
    const move = invoked(startRun(anEvent({ event_data: { n: 1 } }), chain))
    expect(move.passed).toEqual([{ step_id: 'one', handler: 'log', status: 'skipped' }])
    expect(move.invocation.context.step_index).toBe(1)
  })

  it('ends as a dead letter when a step fails and on_error is stop', () => {
    const first = invoked(startRun(anEvent(), aChain({ steps: [aStep(), aStep({ id: 'two' })] })))
    expect(advanceRun(first.invocation.context, failed)).toMatchObject({
      kind: 'end',
      outcome: 'dead_lettered',
      step: { id: 'one' },
      error: { code: 'GATEWAY_DOWN', message: 'no answer' },
    })
  })

  it('goes on after a failure when on_error is continue, the error in view of later conditions', () => {
    const chain = aChain({
      steps: [
        aStep({ on_error: 'continue' }),
        aStep({ id: 'two', when: 'error.code == "GATEWAY_DOWN"' }),
      ],
    })
    const first = invoked(startRun(anEvent(), chain))
    const second = invoked(advanceRun(first.invocation.context, failed))
    expect(second.invocation.context.error).toEqual({
      step_id: 'one',
      code: 'GATEWAY_DOWN',
      message: 'no answer',
    })
    expect(second.invocation.context.results).toEqual({})
  })

  it('runs the steps of on_error in the place of all that was left', () => {
    const chain = aChain({
      steps: [
        aStep({ on_error: { steps: [aStep({ id: 'rescue', handler: 'fire_event' })] } }),
        aStep({ id: 'never' }),
      ],
    })
    const first = invoked(startRun(anEvent(), chain))
    const rescue = invoked(advanceRun(first.invocation.context, failed))
    expect(rescue.invocation.handler).toBe('fire_event')
    expect(advanceRun(rescue.invocation.context, succeeded())).toMatchObject({
      kind: 'end',
      outcome: 'succeeded',
    })
  })

  describe('whose step fails and may be tried again', () => {
    const mayPass = (attempt: number, error: object = {}): Answer => ({
      attempt,
      status: 'failed',
      error: { code: 'GATEWAY_DOWN', message: 'no answer', retryable: true, ...error },
    })
    const chain = aChain({
      steps: [
        aStep({
          config: { n: '${{ event.event_data.n }}' },
          retry: { max_attempts: 3, initial_delay_ms: 8_000 },
          timeout_ms: 500,
        }),
      ],
    })
    const first = invoked(startRun(anEvent({ event_data: { n: 1 } }), chain)).invocation

    it('sends the same invocation again after a delay, its attempt counted', () => {
      expect(advanceRun(first.context, mayPass(1), 1)).toEqual({
        kind: 'retry',
        invocation: { ...first, attempt: 2 },
        delayMs: 8_000,
        passed: [],
      })
      expect(first).toMatchObject({ attempt: 1, timeout_ms: 500 })
    })

    it('waits as long as the handler asked for', () => {
      expect(advanceRun(first.context, mayPass(1, { retry_after_ms: 60_000 }), 1)).toMatchObject({
        kind: 'retry',
        delayMs: 60_000,
      })
    })

    it('fails after the last attempt, and says how many there were', () => {
      expect(advanceRun(first.context, mayPass(2), 0)).toMatchObject({
        kind: 'retry',
        delayMs: 8_000,
      })
      expect(advanceRun(first.context, mayPass(3))).toMatchObject({
        kind: 'end',
        outcome: 'dead_lettered',
        attempts: 3,
      })
    })

    it('fails at once when trying again cannot help, and three times when its policy says nothing', () => {
      expect(advanceRun(first.context, mayPass(1, { retryable: false }))).toMatchObject({
        kind: 'end',
        attempts: 1,
      })
      const { context } = invoked(startRun(anEvent(), aChain())).invocation
      const kinds = [1, 2, 3].map((attempt) => advanceRun(context, mayPass(attempt)).kind)
      expect(kinds).toEqual(['retry', 'retry', 'end'])
    })

    it('minds on_error after the last attempt only', () => {
      const steps = [
        aStep({ retry: { max_attempts: 2 }, on_error: 'continue' }),
        aStep({ id: 'two' }),
      ]
      const { context } = invoked(startRun(anEvent(), aChain({ steps }))).invocation
      expect(advanceRun(context, mayPass(1)).kind).toBe('retry')
      expect(advanceRun(context, mayPass(2))).toMatchObject({
        kind: 'invoke',
        invocation: { attempt: 1, context: { step_index: 1, error: { step_id: 'one' } } },
      })
    })
  })

  it('treats a template that cannot be resolved as a failed step', () => {
    const chain = aChain({
      steps: [
        aStep({ config: { to: '${{ event.event_data.absent }}' }, on_error: 'continue' }),
        aStep({ id: 'two' }),
      ],
    })
    const move = invoked(startRun(anEvent(), chain))
    expect(move.passed).toMatchObject([
      { step_id: 'one', status: 'failed', error: { code: 'SB_EVALUATION' } },
    ])
    expect(move.invocation.context.step_index).toBe(1)
  })

  it('ends, whatever its steps answer, having decided each step at most once and in order', () => {
    const statuses = fc.record({
      status: fc.constantFrom('succeeded', 'failed', 'skipped' as const),
      deferrals: fc.nat({ max: 3 }),
    })
    const onError = fc.constantFrom<Step['on_error']>('stop', 'continue', {
      steps: [aStep({ id: 'rescue' })],
    })
    const step = fc.record({ on_error: onError, when: fc.constantFrom(undefined, 'true', 'false') })
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 8 }),
        fc.array(statuses, { minLength: 12, maxLength: 12 }),
        (steps, answers) => {
          const chain = aChain({
            steps: steps.map(({ when, ...rest }, index) =>
              aStep({ id: `s${index}`, ...rest, ...(when === undefined ? {} : { when }) }),
            ),
          })
          const decided: string[] = []
          let move = startRun(anEvent(), chain)
          for (const { status, deferrals } of answers) {
            decided.push(...move.passed.map((passed) => passed.step_id))
            if (move.kind === 'end') break
            for (let time = 0; time < deferrals && move.kind !== 'end'; time += 1) {
              move = advanceRun(move.invocation.context, { attempt: 1, status: 'deferred' })
            }
            if (move.kind === 'end') throw new Error('it ended by being put off')
            const { context } = move.invocation
            decided.push(context.chain.steps[context.step_index]!.id)
            move = advanceRun(context, status === 'failed' ? failed : { attempt: 1, status })
          }
          expect(move.kind).toBe('end')
          expect(new Set(decided).size).toBe(decided.length)
          const order = decided.filter((id) => id !== 'rescue').map((id) => Number(id.slice(1)))
          expect(order).toEqual(order.toSorted((a, b) => a - b))
          expect(resultsOf(move).every((id) => decided.includes(id))).toBe(true)
        },
      ),
    )
  })
})

function invoked(move: Move) {
  if (move.kind !== 'invoke') throw new Error(`expected an invocation, got ${JSON.stringify(move)}`)
  return move
}

function resultsOf(move: Move): string[] {
  const context: RunContext = move.kind === 'end' ? move.context : move.invocation.context
  return Object.keys(context.results)
}

describe('an attempt that is put off', () => {
  const deferred = (attempt: number, retry_after_ms?: number): Answer => ({
    attempt,
    status: 'deferred',
    ...(retry_after_ms === undefined ? {} : { retry_after_ms }),
  })
  const steps = [aStep({ retry: { max_attempts: 2 } }), aStep({ id: 'two' })]
  const event = anEvent()
  const first = () => invoked(startRun(event, aChain({ steps }))).invocation

  function deferredTimes(count: number, attempt = 1) {
    let { context } = first()
    for (let time = 0; time < count; time += 1) {
      const move = advanceRun(context, deferred(attempt))
      if (move.kind === 'end') throw new Error('it ended')
      context = move.invocation.context
    }
    return context
  }

  it('comes again as the same attempt after the delay, under an identity of its own', () => {
    const { context, invocation_id } = first()
    const move = advanceRun(context, deferred(1, 90_000))
    expect(move).toMatchObject({
      kind: 'defer',
      delayMs: 100_000,
      invocation: { invocation_id, attempt: 1, context: { deferrals: 1 } },
    })
    const ids = [context, deferredTimes(1), deferredTimes(2)].map((each) => attemptIdOf(each, 1))
    expect(new Set(ids).size).toBe(3)
  })

  it('has used no attempt, whatever comes of it in the end', () => {
    const context = deferredTimes(7)
    const retried = advanceRun(context, { ...failed, error: { ...failed.error!, retryable: true } })
    expect(retried).toMatchObject({ kind: 'retry', invocation: { attempt: 2 } })
    if (retried.kind === 'end') throw new Error('it ended')
    expect(retried.invocation.context).toEqual(first().context)
    const next = invoked(advanceRun(context, succeeded()))
    expect(next.invocation.context).not.toHaveProperty('deferrals')
    expect(invoked(resumeRun(context)).invocation.context).not.toHaveProperty('deferrals')
  })

  it('has failed when it was put off 1,000 times', () => {
    const context = { ...first().context, deferrals: MAX_DEFERRALS }
    expect(advanceRun({ ...context, deferrals: MAX_DEFERRALS - 1 }, deferred(1))).toMatchObject({
      kind: 'defer',
      invocation: { context: { deferrals: MAX_DEFERRALS } },
    })
    expect(advanceRun(context, deferred(1))).toMatchObject({
      kind: 'retry',
      invocation: { attempt: 2 },
    })
    expect(advanceRun(context, deferred(2))).toMatchObject({
      kind: 'end',
      outcome: 'dead_lettered',
      error: { code: 'SB_DEFERRAL_LIMIT' },
      attempts: 2,
    })
  })
})
