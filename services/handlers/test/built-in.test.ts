import { silentLog } from '@signalbox/kit'
import { createMemoryStore } from '@signalbox/store'
import { testChain } from '@signalbox/worker/testing'
import { expect, test } from 'vitest'
import { builtInHandlers } from '../src/index.ts'

test('the built-in handlers work together: a contact, a subscription, a message, and what follows', async () => {
  const store = createMemoryStore()
  const { contacts } = store
  const poll = { conversation_type: 'poll', event_type: 'poll_complete' }
  const { runs, commands, firedEvents, deadLetters } = await testChain({
    handlers: builtInHandlers({ contacts, smsGateway: undefined, log: silentLog }),
    account: 'acme',
    chain: [
      {
        name: 'Poll to contact',
        trigger: poll,
        steps: [
          {
            id: 'contact',
            handler: 'create_contact',
            config: { msisdn: '${{ event.event_data.msisdn }}' },
          },
          {
            id: 'news',
            handler: 'set_subscription',
            config: {
              contact_key: '${{ results.contact.contact_key }}',
              campaign: 'news',
              state: 'subscribed',
            },
          },
          {
            id: 'sms',
            handler: 'send_sms',
            on_error: 'continue',
            config: { to: '${{ results.contact.msisdn }}', body: 'Hi' },
          },
          {
            id: 'say',
            handler: 'send_message',
            when: 'has(error.code)',
            config: { worker_name: 'chat', content: '${{ error.code }}' },
          },
        ],
      },
      {
        name: 'Welcome',
        trigger: { conversation_type: 'contact', event_type: 'contact_created' },
        steps: [
          {
            id: 'note',
            handler: 'log',
            config: { message: 'welcome ${{ event.event_data.msisdn }}' },
          },
        ],
      },
    ],
    event: { ...poll, event_data: { msisdn: '27831234567' } },
  })
  expect(deadLetters).toEqual([])
  expect(runs.map(({ chain_id, status }) => [chain_id, status])).toEqual([
    ['chain-1', 'succeeded'],
    ['chain-2', 'succeeded'],
  ])
  expect(runs[0]?.steps.map(({ status }) => status)).toEqual([
    'succeeded',
    'succeeded',
    'failed',
    'succeeded',
  ])
  expect(firedEvents).toHaveLength(1)
  expect(commands).toMatchObject([
    { worker_name: 'chat', kwargs: { content: 'SMS_NOT_CONFIGURED' } },
  ])
  expect(await contacts.findByMsisdn('acme', '+27831234567')).toMatchObject({
    subscriptions: { news: 'subscribed' },
  })
  await store.close()
})
