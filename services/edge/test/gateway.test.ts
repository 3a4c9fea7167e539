import { expect, test } from 'vitest'
import {
  ask,
  changeFrame,
  memoryEngines,
  okFrame,
  publish,
  startEdge,
  stateChange,
  subscribeTo,
} from './edge-bed.ts'

test('a subscribed client is answered and sees a change, byte for byte', async () => {
  await using engines = memoryEngines()
  await using edge = await startEdge(engines)
  await using client = await edge.connect({ personKey: 'p1' })

  expect(client.protocol).toBe('signalbox.v1')
  expect(await ask(client, subscribeTo('p1', 'flow', 1519211809934))).toBe(
    '{"request_id":1519211809934,"errors":[],"status":200}',
  )
  await publish(engines.broker, stateChange('p1', 'flow', 'f1'))
  expect(await client.next()).toBe(
    '{"event":"state_change","request_id":1519211809934,"data":{"entity":"flow","id":"f1","identifier":"flow-1","state":"completed","previous_state":"active"}}',
  )
  expect(okFrame(1) + changeFrame(1, 'flow', 'a')).toContain('"request_id":1')
})
