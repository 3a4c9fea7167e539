import { describe, expect, it } from 'vitest'
import {
  ACCOUNT,
  ask,
  memoryEngines,
  okFrame,
  publish,
  startEdge,
  stateChange,
} from './edge-bed.ts'

const poll = (id: string, account = ACCOUNT) => ({
  ...stateChange('p1', 'flow', id),
  account_key: account,
  event_type: 'poll_complete',
  event_id: id,
})

describe('a subscription to everything of an account', () => {
  it('gets every event from its answer on, of any kind and partition, and of no other account', async () => {
    await using engines = memoryEngines()
    await using edge = await startEdge(engines, { relayPartitions: 4 })
    await using client = await edge.connect()
    await publish(engines.broker, poll('before'))
    const request = { action: 'subscribe', request_id: 1, data: { all: true } }
    expect(await ask(client, request)).toBe(okFrame(1))

    await publish(engines.broker, poll('other', 'acme'), poll('first'))
    const frame = JSON.parse(await client.next()) as { data: object }
    expect(frame).toMatchObject({ event: 'event', request_id: 1, data: poll('first') })
    const change = { ...stateChange('p2', 'step', 's1'), event_id: 'second' }
    await publish(engines.broker, change)
    expect(JSON.parse(await client.next())).toMatchObject({ event: 'event', data: change })
    expect(await edge.sample('signalbox_edge_relayed_total{outcome="append"}')).toBe(2)
  })
})
