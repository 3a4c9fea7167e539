/** Replaying many dead letters over HTTP. */
import type { NewDeadLetter } from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import { describe, expect, test } from 'vitest'
import { RUN, useDeadLetters } from './dead-letter-fixture.ts'

const bench = useDeadLetters()
const { offer, keep, post, kept } = bench

describe('replaying many', () => {
  async function keepMany(count: number, fields: Partial<NewDeadLetter> = {}): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      await keep({ dead_letter_id: `${fields.code ?? 'GATEWAY'}-${index}`, ...fields })
    }
  }

  test('replays the open ones of a group and says how many', async () => {
    await offer('send_sms')
    await keepMany(5)
    await keepMany(2, { code: 'OTHER' })
    await post('/GATEWAY-0/discard', { reason: 'x' })
    const group = { code: 'GATEWAY', handler: 'send_sms', chain_id: 'thanks' }
    expect((await post('/replay', { group })).json()).toEqual({
      replayed: 4,
      failed: 0,
      errors: [],
    })
    expect((await post('/replay', { group })).json()).toEqual({
      replayed: 0,
      failed: 0,
      errors: [],
    })
    await waitFor(() => bench.invocations.length === 4, { what: 'the invocations' })
    expect(await kept('OTHER-0')).toMatchObject({ state: 'open' })
  })

  test('a group that names no handler holds only letters without one', async () => {
    await offer('send_sms')
    await keepMany(1)
    const group = { code: 'GATEWAY' }
    expect((await post('/replay', { group })).json()).toMatchObject({ replayed: 0 })
    const filter = { code: 'GATEWAY' }
    expect((await post('/replay', { filter })).json()).toMatchObject({ replayed: 1 })
  })

  test('works in pages, and says which failed and why', async () => {
    await offer('send_sms')
    await keepMany(3)
    await keep({ dead_letter_id: 'bad', body: { json: { ...RUN, results: {} } as never } })
    const first = (await post('/replay', { all: true, limit: 2 })).json()
    expect(first).toMatchObject({
      replayed: 1,
      failed: 1,
      errors: [{ dead_letter_id: 'bad', code: 'SB_CONFLICT' }],
      next: expect.any(String),
    })
    const second = await post('/replay', { all: true, limit: 2, cursor: first.next })
    expect(second.json()).toEqual({ replayed: 2, failed: 0, errors: [] })
  })

  test.each([
    [{}, ''],
    [{ all: true, filter: {} }, ''],
    [{ all: false }, 'all'],
    [{ filter: { codes: 'x' } }, 'filter.codes'],
    [{ all: true, from: 'middle' }, 'from'],
    [{ all: true, limit: 5_000 }, 'limit'],
  ])('refuses %o and names the fault', async (payload, path) => {
    const answer = await post('/replay', payload)
    expect(answer.json()).toMatchObject({ code: 'SB_INVALID_INPUT', errors: [{ path }] })
  })
})
