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

/** A publisher whose messages are confirmed by hand, and that refuses more than `maxOutputs` characters of output. */
function manualPublisher(maxOutputs = Number.POSITIVE_INFINITY) {
  const messages: {
    replyTo: string
    traceparent: string | undefined
    results: readonly StepResult[]
  }[] = []
  const confirms: (() => void)[] = []
  return {
    messages,
    confirmAll: () => confirms.splice(0).forEach((confirm) => void confirm()),
    publisher: {
      async results(replyTo: string, results: readonly StepResult[], options = {}) {
        const { traceparent } = options as { traceparent?: string }
        if (results.map(({ output }) => output ?? '').join('').length > maxOutputs) {
          throw new InvalidInputError('too large', { code: 'SB_TOO_LARGE' })
        }
        messages.push({ replyTo, traceparent, results })
        await new Promise<void>((resolve) => confirms.push(resolve))
        return 'routed' as const
      },
    },
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
const deps = { shutdown: new AbortController().signal, patienceMs: 0 }
const outputsOf = (messages: { results: readonly StepResult[] }[]) =>
  messages.map(({ results }) => results.map(({ output }) => output).join(''))

describe('the result outbox', () => {
  test('sends what comes in one turn as one message, and resolves at its confirm only', async () => {
    const { messages, confirmAll, publisher } = manualPublisher()
    const outbox = createResultOutbox({ ...deps, publisher })
    let confirmed = 0
    for (const name of ['a', 'b', 'c']) {
      void outbox.send(aResult(name), { replyTo: 'q' }).then(() => (confirmed += 1))
    }
    await turn()
    expect(outputsOf(messages)).toEqual(['abc'])
    expect(confirmed).toBe(0)
    confirmAll()
    await turn()
    expect(confirmed).toBe(3)
  })

  test('gathers while four messages are unconfirmed, then sends the rest fuller', async () => {
    const { messages, confirmAll, publisher } = manualPublisher()
    const outbox = createResultOutbox({ ...deps, publisher })
    const sent: Promise<void>[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) {
      sent.push(outbox.send(aResult(name), { replyTo: 'q' }))
      await turn()
    }
    expect(outputsOf(messages)).toEqual(['a', 'b', 'c', 'd'])
    confirmAll()
    await turn()
    expect(outputsOf(messages)).toEqual(['a', 'b', 'c', 'd', 'efg'])
    confirmAll()
    await Promise.all(sent)
  })

  test('keeps apart what goes elsewhere or belongs to another trace', async () => {
    const { messages, confirmAll, publisher } = manualPublisher()
    const outbox = createResultOutbox({ ...deps, publisher })
    const sent = [
      outbox.send(aResult('a'), { replyTo: 'q' }),
      outbox.send(aResult('b'), { replyTo: 'other' }),
      outbox.send(aResult('c'), { replyTo: 'q', traceparent: 't' }),
      outbox.send(aResult('d'), { replyTo: 'q' }),
    ]
    await turn()
    expect(messages.map(({ replyTo, traceparent }) => [replyTo, traceparent])).toEqual([
      ['q', undefined],
      ['other', undefined],
      ['q', 't'],
    ])
    expect(outputsOf(messages)).toEqual(['ad', 'b', 'c'])
    confirmAll()
    await Promise.all(sent)
  })

  test('halves what is too large for one message', async () => {
    const { messages, confirmAll, publisher } = manualPublisher(2)
    const outbox = createResultOutbox({ ...deps, publisher })
    const sent = ['a', 'b', 'c', 'd'].map((name) => outbox.send(aResult(name), { replyTo: 'q' }))
    await turn()
    confirmAll()
    await turn()
    confirmAll()
    await Promise.all(sent)
    expect(outputsOf(messages)).toEqual(['ab', 'cd'])
  })

  test('a result that is too large alone becomes a failed one that says so', async () => {
    const { messages, confirmAll, publisher } = manualPublisher(2)
    const outbox = createResultOutbox({ ...deps, publisher })
    const sent = outbox.send(aResult('abc'), { replyTo: 'q' })
    await turn()
    confirmAll()
    await sent
    expect(messages[0]?.results[0]).toMatchObject({
      status: 'failed',
      error: { code: 'SB_TOO_LARGE', retryable: false },
    })
    expect(messages[0]?.results[0]).not.toHaveProperty('output')
  })

  test('rejects when the broker stays away, and when nobody takes the result', async () => {
    const away = createResultOutbox({
      ...deps,
      publisher: { results: () => Promise.reject(new UnavailableError('away')) },
    })
    await expect(away.send(aResult('a'), { replyTo: 'q' })).rejects.toThrow('away')

    const nobody = createResultOutbox({ ...deps, publisher: { results: async () => 'unroutable' } })
    await expect(nobody.send(aResult('a'), { replyTo: 'gone' })).rejects.toMatchObject({
      code: 'SB_INVALID_MESSAGE',
      message: expect.stringContaining('"gone"'),
      retryable: false,
    })
  })

  test('waits no longer for a confirm when the worker stops', async () => {
    const shutdown = new AbortController()
    const { messages, publisher } = manualPublisher()
    const outbox = createResultOutbox({ patienceMs: 0, shutdown: shutdown.signal, publisher })
    const sent = outbox.send(aResult('a'), { replyTo: 'q' })
    await turn()
    expect(messages).toHaveLength(1)
    shutdown.abort(workerStopped())
    await expect(sent).rejects.toThrow('the worker stopped')
  })
})
