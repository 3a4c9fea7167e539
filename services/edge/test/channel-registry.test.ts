import { createMetrics, silentLog } from '@signalbox/kit'
import { describe, expect, it } from 'vitest'
import { type ChannelListener, createChannelRegistry } from '../src/channel-registry.ts'
import type { LiveMessage } from '../src/live-message.ts'
import { createEdgeMetrics } from '../src/metrics.ts'
import { FakeChannels } from './fake-channels.ts'
import { textOf } from './frame-text.ts'

const CHANNEL = { accountKey: 'demo', kind: 'person' as const, personKey: 'p1' }

function startRegistry() {
  const channels = new FakeChannels()
  const metrics = createEdgeMetrics(createMetrics({ withProcessMetrics: false }), new Map())
  return { channels, registry: createChannelRegistry({ channels, log: silentLog, metrics }) }
}

const flowListener = (onMessage: (message: LiveMessage) => void): ChannelListener => ({
  filter: { kind: 'state', entity: 'flow' },
  onMessage,
  onBreak: () => undefined,
})

describe('the channel registry', () => {
  it('holds one subscription per channel, whoever wants it, and lets go after the last', async () => {
    const { channels, registry } = startRegistry()
    const holds = await Promise.all([registry.hold(CHANNEL), registry.hold(CHANNEL)])
    const heard: string[] = []
    for (const [index, hold] of holds.entries()) {
      hold.listen(
        flowListener((message) => {
          const text = textOf(message.frame('{"data":'))
          const { data } = JSON.parse(text) as { data: { id: string } }
          heard.push(`${index} ${data.id}`)
        }),
      )
    }
    channels.append('a')
    expect(channels.subscribeCount).toBe(1)
    expect(heard).toEqual(['0 a', '1 a'])

    holds[0]?.release()
    holds[0]?.release()
    channels.append('b')
    expect(heard.slice(2)).toEqual(['1 b'])
    holds[1]?.release()
    expect(registry.size).toBe(0)
    await registry[Symbol.asyncDispose]()
    expect(channels.subscribers.size).toBe(0)
  })

  it('keeps the persons of two accounts apart, also when their keys are alike', async () => {
    const { channels, registry } = startRegistry()
    await registry.hold(CHANNEL)
    await registry.hold({ ...CHANNEL, accountKey: 'other' })
    expect(channels.subscribeCount).toBe(2)
    expect(registry.size).toBe(2)
  })

  it('lets all who wait fail together, and the next one try anew', async () => {
    const { channels, registry } = startRegistry()
    channels.isAway = true
    const outcomes = await Promise.allSettled([registry.hold(CHANNEL), registry.hold(CHANNEL)])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(registry.size).toBe(0)

    channels.isAway = false
    await registry.hold(CHANNEL)
    expect(channels.subscribers.size).toBe(1)
  })

  it('passes by what is not a state change', async () => {
    const { channels, registry } = startRegistry()
    const hold = await registry.hold(CHANNEL)
    const heard: string[] = []
    hold.listen(flowListener((message) => heard.push(textOf(message.frame('')))))
    for (const payload of ['nonsense', '{"event":"other"}', '{"event":"state_change","data":{}}']) {
      channels.append(payload, 'live', payload)
    }
    channels.append('a')
    expect(heard).toHaveLength(1)
  })
})
