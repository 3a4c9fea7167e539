/** Editing a dead letter and replaying it, over HTTP. */
import { INSTALLATION_ACCOUNT, type VumiApiEvent } from '@signalbox/contracts'
import { waitFor } from '@signalbox/testkit'
import { describe, expect, test } from 'vitest'
import { EVENT, RUN, useDeadLetters } from './dead-letter-fixture.ts'

const bench = useDeadLetters()
const { offer, keep, post, kept, biography, tellOfTheDeadRun } = bench

describe('editing', () => {
  test('publishes the changed event, with a link both ways', async () => {
    await keep()
    await tellOfTheDeadRun()
    const { event_data: _data, ...rest } = EVENT
    const edited = { ...rest, event_data: { name: 'Anna' }, replay_of: 'x', caused_by: { a: 1 } }
    const { replay } = (await post('/d-1/edit-and-replay', { event: edited })).json()
    await waitFor(() => bench.api.published.length === 1, { what: 'the event' })
    const event = JSON.parse(bench.api.published[0]!.body.toString()) as VumiApiEvent
    expect(event).toMatchObject({ event_data: { name: 'Anna' }, replay_of: 'd-1' })
    expect(event.event_id).toBe(replay.event_id)
    expect(event.event_id).not.toBe('e-1')
    expect(event.caused_by).toBeUndefined()
    expect((await biography())?.replays).toMatchObject([{ new_event_id: event.event_id }])
  })

  test('goes on with a changed config of the step that failed', async () => {
    await offer('send_sms')
    await bench.api.store.catalog.register(
      {
        name: 'send_sms',
        description: '',
        fires: [],
        config_schema: { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] },
      },
      { workerId: 'w', ttlMs: 60_000 },
    )
    await keep()
    const bad = await post('/d-1/edit-and-replay', { config: { to: 7 } })
    expect(bad.json()).toMatchObject({ code: 'SB_INVALID_INPUT', errors: [{ path: 'config.to' }] })
    const late = await post('/d-1/edit-and-replay', { config: { to: '${{ results.sms.id }}' } })
    expect(late.json()).toMatchObject({ errors: [{ path: expect.stringContaining('config') }] })
    expect(await kept()).toMatchObject({ state: 'open' })

    await post('/d-1/edit-and-replay', { config: { to: '${{ event.event_data.name }}' } })
    await waitFor(() => bench.invocations.length === 1, { what: 'the invocation' })
    expect(bench.invocations[0]).toMatchObject({
      config: { to: 'Ann' },
      context: { run_id: RUN.run_id, replay_of: 'd-1' },
    })
    expect(await kept()).toMatchObject({ replay: { kind: 'edited_config' } })
  })

  test.each([
    [{}, ''],
    [{ event: EVENT, config: {} }, ''],
    [{ event: { ...EVENT, event_type: 'a b' } }, 'event.event_type'],
    [{ event: { ...EVENT, account_key: 'other' } }, 'event.account_key'],
    [{ events: [] }, 'events'],
  ])('refuses %o and names the fault', async (payload, path) => {
    await keep()
    const answer = await post('/d-1/edit-and-replay', payload as object)
    expect(answer.json()).toMatchObject({ code: 'SB_INVALID_INPUT', status: 400 })
    expect(answer.json().errors.map((error: { path: string }) => error.path)).toContain(path)
    expect(await kept()).toMatchObject({ state: 'open' })
  })

  test('gives what had no account one', async () => {
    await keep({ account_key: INSTALLATION_ACCOUNT, about: 'event', body: { base64: 'AAAA' } })
    const edit = (event: object) => post('/d-1/edit-and-replay', { event }, INSTALLATION_ACCOUNT)
    const { account_key: _none, ...nobodys } = EVENT
    expect((await edit(nobodys)).json()).toMatchObject({ errors: [{ path: 'event.account_key' }] })
    expect((await edit(EVENT)).json()).toMatchObject({ state: 'replayed' })
    await waitFor(() => bench.api.published.length === 1, { what: 'the event' })
    expect(bench.api.published[0]?.routingKey).toBe('poll.poll_complete.acme')
  })

  test('the config of what is no part of a run cannot be edited', async () => {
    await keep({ about: 'event', body: { base64: 'AAAA' } })
    const answer = await post('/d-1/edit-and-replay', { config: {} })
    expect(answer.json()).toMatchObject({ code: 'SB_CONFLICT' })
  })
})
