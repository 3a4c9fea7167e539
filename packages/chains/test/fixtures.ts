import { completeEvent, type Step, type StoredChain, type VumiApiEvent } from '@signalbox/contracts'

export function anEvent(overrides: Partial<VumiApiEvent> = {}): VumiApiEvent {
  return completeEvent({
    account_key: 'acme',
    conversation_key: 'spring',
    conversation_type: 'poll',
    event_type: 'poll_complete',
    event_data: {},
    ...overrides,
  })
}

export function aChain(overrides: Partial<StoredChain> = {}): StoredChain {
  return {
    chain_id: 'chain',
    version: 1,
    updated_at: '2026-01-01T00:00:00.000Z',
    name: 'A chain',
    enabled: true,
    trigger: { conversation_type: 'poll', event_type: 'poll_complete' },
    steps: [aStep()],
    ...overrides,
  }
}

export function aStep(overrides: Partial<Step> = {}): Step {
  return { id: 'one', handler: 'log', config: {}, on_error: 'stop', ...overrides }
}
