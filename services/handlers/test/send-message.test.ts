import { testHandler } from '@signalbox/worker/testing'
import { expect, test } from 'vitest'
import { sendMessageHandler } from '../src/send-message.ts'

test('commands the worker to send, for the account and conversation of the event', async () => {
  const { commands } = await testHandler(sendMessageHandler(), {
    config: { worker_name: 'sms_out', content: 'Hello', to: '+27831234567', options: { ttl: 5 } },
    event: { account_key: 'acme', conversation_key: 'c1', person_key: 'p1' },
  })
  expect(commands).toEqual([
    {
      worker_name: 'sms_out',
      command: 'send_message',
      args: [],
      kwargs: {
        account_key: 'acme',
        conversation_key: 'c1',
        person_key: 'p1',
        to: '+27831234567',
        content: 'Hello',
        options: { ttl: 5 },
      },
    },
  ])
})

test('conversation and person can be given, the account cannot', async () => {
  const config = { worker_name: 'w', content: 'x', conversation_key: 'c2', person_key: 'p2' }
  const { commands } = await testHandler(sendMessageHandler(), { config })
  expect(commands[0]?.kwargs).toEqual({
    account_key: 'test',
    conversation_key: 'c2',
    person_key: 'p2',
    content: 'x',
  })
  const { error } = await testHandler(sendMessageHandler(), {
    config: { ...config, account_key: 'other' },
  })
  expect(error?.message).toContain('account_key: is not a known field')
})
