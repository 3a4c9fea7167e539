import type { StepResult } from '@signalbox/contracts'
import { InvalidInputError, UnavailableError } from '@signalbox/kit'
import { describe, expect, test } from 'vitest'
import { workerStopped } from '../src/in-time.ts'
import { createResultOutbox } from '../src/result-outbox.ts'
import { anInvocation } from './invocations.ts'

function aResult(output: string): StepResult {
  const { invocation_id, attempt, context } = anInvocation('it')
  return { invocation_id, attempt, status: 'succeeded', output, duration_ms: 1, context }
}

/** A publisher that confirms at once, and refuses more than `maxOutputs` characters of output. */
function limitedPublisher(maxOutputs: number) {
  const sent: StepResult[] = []
  return {
    sent,
    async results(_replyTo: string, results: readonly StepResult[]) {
      if (results.map(({ output }) => output ?? '').join('').length > maxOutputs) {
        throw new InvalidInputError('too large', { code: 'SB_TOO_LARGE' })
      }
      sent.push(...results)
      return 'routed' as const
    },
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
const deps = { shutdown: new AbortController().signal, patienceMs: 0 }

describe('the result outbox', () => {
  test('a result that is too large becomes a failed one that says so', async () => {
    const publisher = limitedPublisher(2)
    await createResultOutbox({ ...deps, publisher }).send(aResult('abc'), 'q')
    expect(publisher.sent).toMatchObject([
      { status: 'failed', error: { code: 'SB_TOO_LARGE', retryable: false } },
    ])
    expect(publisher.sent[0]).not.toHaveProperty('output')
  })

  test('rejects when the broker stays away, and when nobody takes the result', async () => {
    const away = createResultOutbox({
      ...deps,
      publisher: { results: () => Promise.reject(new UnavailableError('away')) },
    })
    await expect(away.send(aResult('a'), 'q')).rejects.toThrow('away')

    const nobody = createResultOutbox({ ...deps, publisher: { results: async () => 'unroutable' } })
    await expect(nobody.send(aResult('a'), 'gone')).rejects.toMatchObject({
      code: 'SB_INVALID_MESSAGE',
      message: expect.stringContaining('"gone"'),
      retryable: false,
    })
  })

  test('waits no longer for a confirm when the worker stops', async () => {
    const shutdown = new AbortController()
    let publishes = 0
    const publisher = {
      results() {
        publishes += 1
        return new Promise<never>(() => {})
      },
    }
    const outbox = createResultOutbox({ patienceMs: 0, shutdown: shutdown.signal, publisher })
    const sent = outbox.send(aResult('a'), 'q')
    await turn()
    expect(publishes).toBe(1)
    shutdown.abort(workerStopped())
    await expect(sent).rejects.toThrow('the worker stopped')
  })
})
