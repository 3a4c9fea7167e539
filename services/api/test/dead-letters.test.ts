/** Dead letters over HTTP: looking and discarding. */
import { INSTALLATION_ACCOUNT, type KeptDeadLetter } from '@signalbox/contracts'
import { describe, expect, test } from 'vitest'
import { letterUrl, RUN, useDeadLetters } from './dead-letter-fixture.ts'

const bench = useDeadLetters()
const { offer, keep, post } = bench

describe('looking', () => {
  test.each([
    ['', ['d-3', 'd-2', 'd-1']],
    ['?code=SB_HOP_LIMIT', ['d-2']],
    ['?handler=send_sms&chain_id=thanks', ['d-3', 'd-1']],
    ['?conversation_type=poll&event_type=done', ['d-2']],
    ['?state=discarded', ['d-3']],
    ['?event_id=e-1&state=open', ['d-2', 'd-1']],
    ['?since=2026-03-04T06:00:00Z', ['d-3']],
    ['?until=2026-03-04T06:00:00Z', ['d-2', 'd-1']],
  ])(
    'GET /dead-letters%s lists what fits, newest first, without bodies',
    async (query, expected) => {
      await keep()
      await keep({
        dead_letter_id: 'd-2',
        code: 'SB_HOP_LIMIT',
        chain_id: 'loop',
        conversation_type: 'poll',
        event_type: 'done',
      })
      await keep({ dead_letter_id: 'd-3', at: '2026-03-04T07:00:00.000Z' })
      await post('/d-3/discard', { reason: 'a test' })
      const answer = (await bench.api.call({ url: letterUrl(query) })).json()
      expect(answer.items.map((item: KeptDeadLetter) => item.dead_letter_id)).toEqual(expected)
      expect(answer.items[0]).not.toHaveProperty('body')
      expect(answer.forgotten).toBe(0)
    },
  )

  test('one letter is read with its message, and by its own account only', async () => {
    await keep()
    const answer = await bench.api.call({ url: letterUrl('/d-1') })
    expect(answer.json()).toMatchObject({ state: 'open', body: { json: { run_id: RUN.run_id } } })
    const elsewhere = await bench.api.call({ url: letterUrl('/d-1', 'other') })
    expect(elsewhere.json()).toMatchObject({ status: 404, code: 'SB_NOT_FOUND' })
  })

  test('letters are grouped by their cause', async () => {
    await keep()
    await keep({ dead_letter_id: 'd-2' })
    await keep({ dead_letter_id: 'd-3', code: 'OTHER' })
    const { items } = (await bench.api.call({ url: letterUrl('/groups?state=open') })).json()
    expect(items).toMatchObject([
      { code: 'GATEWAY', handler: 'send_sms', chain_id: 'thanks', count: 2 },
      { code: 'OTHER', count: 1 },
    ])
  })

  test('what has no account is read with the admin key only', async () => {
    await keep({ account_key: INSTALLATION_ACCOUNT })
    const own = await bench.api.keyOf(INSTALLATION_ACCOUNT, 'read', 'manage')
    const refused = await bench.api.call({ url: letterUrl('', INSTALLATION_ACCOUNT) }, own)
    expect(refused.json()).toMatchObject({ status: 403, code: 'SB_FORBIDDEN' })
    expect(
      (await bench.api.call({ url: letterUrl('', INSTALLATION_ACCOUNT) })).json().items,
    ).toHaveLength(1)
  })

  test('reading needs the scope read, everything else manage', async () => {
    await keep()
    const reader = await bench.api.keyOf('acme', 'read')
    const manager = await bench.api.keyOf('acme', 'manage')
    expect((await bench.api.call({ url: letterUrl('/d-1') }, reader)).statusCode).toBe(200)
    expect((await bench.api.call({ url: letterUrl('/d-1') }, manager)).statusCode).toBe(403)
    for (const path of ['/d-1/replay', '/replay', '/d-1/discard', '/d-1/edit-and-replay']) {
      const answer = await bench.api.call(
        { method: 'POST', url: letterUrl(path), payload: {} },
        reader,
      )
      expect(answer.statusCode, path).toBe(403)
    }
  })

  test.each([
    ['?cause=x', 'cause'],
    ['?state=lost', 'state'],
    ['?since=yesterday', 'since'],
    ['/groups?limit=5', 'limit'],
  ])('GET /dead-letters%s is refused, and the fault named', async (query, path) => {
    const answer = await bench.api.call({ url: letterUrl(query) })
    expect(answer.json()).toMatchObject({ code: 'SB_INVALID_INPUT', errors: [{ path }] })
  })
})

describe('discarding', () => {
  test('keeps the first reason, and is the end of it', async () => {
    await keep()
    const answer = await post('/d-1/discard', { reason: 'a typing mistake' })
    expect(answer.json()).toMatchObject({
      state: 'discarded',
      discard_reason: 'a typing mistake',
    })
    expect((await post('/d-1/discard', { reason: 'other' })).json()).toEqual(answer.json())
    expect((await post('/d-1/replay', {})).json()).toMatchObject({ code: 'SB_CONFLICT' })
  })

  test('is refused after a replay, without a reason, and where there is nothing', async () => {
    await offer('send_sms')
    await keep()
    await post('/d-1/replay', {})
    expect((await post('/d-1/discard', { reason: 'x' })).json()).toMatchObject({
      code: 'SB_CONFLICT',
    })
    expect((await post('/d-1/discard', { reason: '' })).json()).toMatchObject({
      errors: [{ path: 'reason' }],
    })
    expect((await post('/d-9/discard', { reason: 'x' })).json()).toMatchObject({ status: 404 })
  })
})
