import type { DeadLetter } from '@signalbox/contracts'
import { silentLog, UnavailableError } from '@signalbox/kit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Delivery } from '../src/port.ts'
import { type SettlementDeps, verdictOn } from '../src/settlement.ts'
import { recordingLog, unreadable } from './fixtures.ts'

const delivery: Delivery = {
  body: Buffer.from('{}'),
  exchange: 'e',
  routingKey: 'k',
  redelivered: false,
  deliveryCount: 0,
  isVoid: false,
  properties: {},
}

describe('verdictOn', () => {
  let giveUp: AbortController
  let letters: DeadLetter[]
  let failures: number

  const deps = (): SettlementDeps => ({
    queue: 'q',
    log: silentLog,
    publisher: {
      async deadLetter(letter) {
        if (failures > 0) {
          failures -= 1
          throw new UnavailableError('away')
        }
        letters.push(letter)
      },
    },
    signal: giveUp.signal,
  })

  beforeEach(() => {
    vi.useFakeTimers()
    giveUp = new AbortController()
    letters = []
    failures = 0
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('publishes a dead letter until it is confirmed, and only then acknowledges', async () => {
    failures = 3
    const log = recordingLog()
    const verdict = verdictOn(delivery, async () => ({ kind: 'dead_letter', reason: unreadable }), {
      ...deps(),
      log,
    })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await verdict).toBe('ack')
    expect(letters).toHaveLength(1)
    expect(log.of('dead_letter.publish_failed')).toHaveLength(1)
  })

  it('gives the delivery back when the dead letter cannot be published and there is nothing to wait for', async () => {
    failures = Number.POSITIVE_INFINITY
    const verdict = verdictOn(
      delivery,
      async () => ({ kind: 'dead_letter', reason: unreadable }),
      deps(),
    )
    await vi.advanceTimersByTimeAsync(30_000)
    giveUp.abort()
    expect(await verdict).toBe('requeue')
  })

  it('waits a second before it gives back what a handler failed on', async () => {
    let settled: string | undefined
    const verdict = verdictOn(delivery, () => Promise.reject(new Error('broken')), deps()).then(
      (kind) => {
        settled = kind
      },
    )
    await vi.advanceTimersByTimeAsync(999)
    expect(settled).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    await verdict
    expect(settled).toBe('requeue')
  })

  it('takes a handler that throws before it returns for one that rejects', async () => {
    giveUp.abort()
    const throwing = (): never => {
      throw new Error('not even a promise')
    }
    expect(await verdictOn(delivery, throwing, deps())).toBe('requeue')
  })
})
