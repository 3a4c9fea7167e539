/** The main job on real brokers: two of each service as processes, seen over HTTP, AMQP and bare sockets only. */
import { spawn } from 'node:child_process'
import { ensureDebianPackages, leaseRabbitMq, leaseRedis, waitFor } from '@signalbox/testkit'
import amqp from 'amqplib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { metric, type Observer, observe } from './observer.ts'
import { ADMIN_KEY, putChain, request, type System, startSystem } from './system.ts'

const stack = new AsyncDisposableStack()
let system: System
let amqpUrl: string
let namespace: string
let plain: amqp.ConfirmChannel
let demo: Observer

beforeAll(async () => {
  const [rabbitmq, redis] = [stack.use(await leaseRabbitMq()), stack.use(await leaseRedis())]
  amqpUrl = rabbitmq.amqpUrl
  namespace = redis.namespace
  system = stack.use(
    await startSystem({
      amqpUrl,
      redisUrl: redis.redisUrl,
      namespace,
      dispatchers: 2,
      handlers: 2,
      edges: 2,
      env: { SIGNALBOX_VUMI_BRIDGE: 'true' },
    }),
  )
  demo = observe(system, account)
  const connection = await amqp.connect(amqpUrl)
  stack.defer(() => connection.close())
  plain = await connection.createConfirmChannel()
})
afterAll(() => stack.disposeAsync())

const account = 'demo'

const thanks = {
  name: 'Poll to contact to SMS',
  trigger: { conversation_type: 'poll', event_type: 'poll_complete' },
  steps: [
    {
      id: 'contact',
      handler: 'create_contact',
      config: { name: '${{ event.event_data.name }}', msisdn: '${{ event.event_data.msisdn }}' },
    },
    {
      id: 'sms',
      handler: 'send_sms',
      when: 'has(results.contact.msisdn)',
      config: {
        to: '${{ results.contact.msisdn }}',
        body: 'Thank you, ${{ event.event_data.name }}!',
      },
    },
  ],
}

describe('a poll that is answered over HTTP', () => {
  it('becomes a contact, an SMS and live frames, byte for byte', async () => {
    await putChain(system.api, account, 'thanks', thanks)
    const polls = `${system.survey.url}/v1/polls`
    const poll = {
      title: 'Spring poll',
      questions: [
        { id: 'name', type: 'text', text: 'Your name?' },
        { id: 'msisdn', type: 'msisdn', text: 'Your number?' },
      ],
    }
    const put = await request('PUT', `${polls}/e2e-poll`, poll)
    expect(put.status, JSON.stringify(put.body)).toBeLessThan(300)
    await using flows = await demo.subscribed(system.edges[0]!.url, 'p1', 'flow', 1519211809934)
    await using steps = await demo.subscribed(system.edges[1]!.url, 'p1', 'step', 'steps')

    const begun = await request<{ session_id: string }>('POST', `${polls}/e2e-poll/sessions`, {
      person_key: 'p1',
    })
    expect(begun.status).toBe(201)
    const session = begun.body.session_id
    const answer = (question: string, value: string) =>
      request('POST', `${polls}/e2e-poll/sessions/${session}/answers`, { question, answer: value })
    expect(await answer('name', 'Ada')).toMatchObject({ status: 200 })
    expect(await answer('msisdn', '+27820000001')).toMatchObject({ status: 200 })

    expect(await flows.next()).toBe(
      `{"event":"state_change","request_id":1519211809934,"data":{"entity":"flow","id":"${session}","identifier":"e2e-poll","state":"active","previous_state":"inactive"}}`,
    )
    expect(await flows.next()).toBe(
      `{"event":"state_change","request_id":1519211809934,"data":{"entity":"flow","id":"${session}","identifier":"e2e-poll","state":"completed","previous_state":"active"}}`,
    )
    const first = JSON.parse(await steps.next()) as { data: { identifier: string; state: string } }
    expect(first.data).toMatchObject({ entity: 'step', identifier: 'name', state: 'active' })

    const sms = await waitFor(() => demo.smsTo('+27820000001'), { what: 'the SMS' })
    expect(sms).toMatchObject([{ to: '+27820000001', body: 'Thank you, Ada!' }])
    const contacts = await request<{ items: object[] }>('GET', demo.api('/contacts'))
    expect(contacts.body.items).toMatchObject([{ name: 'Ada', msisdn: '+27820000001' }])
  })
})

describe('an event from a plain AMQP client', () => {
  it('runs the chain and reaches the socket like any other', async () => {
    await putChain(system.api, account, 'thanks', thanks)
    await using flows = await demo.subscribed(system.edges[1]!.url, 'p2', 'flow', 7)
    publishPlain('poll.poll_complete.demo', {
      event_id: 'plain-1',
      account_key: account,
      conversation_key: 'spring-poll',
      conversation_type: 'poll',
      event_type: 'poll_complete',
      event_data: { name: 'Grace', msisdn: '+27820000002' },
    })
    publishPlain('poll.flow_state_change.demo', {
      account_key: account,
      conversation_key: 'spring-poll',
      conversation_type: 'poll',
      event_type: 'flow_state_change',
      person_key: 'p2',
      event_data: { id: 'f', identifier: 'spring-poll', state: 'paused', previous_state: 'active' },
    })
    await plain.waitForConfirms()

    expect(await flows.next()).toBe(
      '{"event":"state_change","request_id":7,"data":{"entity":"flow","id":"f","identifier":"spring-poll","state":"paused","previous_state":"active"}}',
    )
    expect(await waitFor(() => demo.smsTo('+27820000002'), { what: 'the SMS' })).toMatchObject([
      { body: 'Thank you, Grace!' },
    ])
    expect(await demo.biography('plain-1', 'succeeded')).toMatchObject({
      runs: [
        {
          chain_id: 'thanks',
          steps: [
            { step_id: 'contact', status: 'succeeded' },
            { step_id: 'sms', status: 'succeeded' },
          ],
        },
      ],
    })
  })

  it("goes through the bridge in Vumi Go's own shape", async () => {
    await putChain(system.api, account, 'vumi', {
      name: 'From Vumi Go',
      trigger: { conversation_type: 'vumi', event_type: 'survey_completed' },
      steps: [
        {
          id: 'note',
          handler: 'log',
          config: { message: 'completed by ${{ event.event_data.from_addr }}' },
        },
      ],
    })
    const message = {
      message_version: '20110921',
      event_id: 'vumi-1',
      account_key: account,
      conversation_key: 'c-17',
      event_type: 'survey_completed',
      content: { from_addr: '+27820000003' },
    }
    plain.publish('vumi', 'vumi.event', Buffer.from(JSON.stringify(message)), {
      mandatory: true,
      deliveryMode: 2,
    })
    await plain.waitForConfirms()
    expect(await demo.biography('vumi-1', 'succeeded')).toMatchObject({
      runs: [{ chain_id: 'vumi' }],
    })
  })

  it('is kept as a dead letter of the installation that says what is wrong when it is not an event', async () => {
    plain.publish(`${namespace}.events`, 'a.b.demo', Buffer.from('{"account_key":'), {})
    await plain.waitForConfirms()
    const kept = observe(system, '_installation')
    const [listed] = await waitFor(
      async () => {
        const { body } = await request<{ items: { dead_letter_id: string }[] }>(
          'GET',
          kept.api('/dead-letters'),
        )
        return body.items.length > 0 && body.items
      },
      { what: 'the dead letter' },
    )
    const { body: letter } = await request(
      'GET',
      kept.api(`/dead-letters/${listed?.dead_letter_id}`),
    )
    expect(letter).toMatchObject({
      code: 'SB_INVALID_MESSAGE',
      about: 'event',
      body: { base64: expect.any(String) as string },
    })
  })
})

describe('a chain that is changed over HTTP', () => {
  it('takes effect for the next event on both dispatchers', async () => {
    for (const version of [1, 2, 3]) {
      await putChain(system.api, account, 'changing', {
        name: 'Changing',
        trigger: { conversation_type: 'test', event_type: 'changed' },
        steps: [{ id: `v${version}`, handler: 'log', config: { message: 'hello' } }],
      })
      const events = Array.from({ length: 40 }, (_, index) => ({
        event_id: `changed-${version}-${index}`,
        conversation_key: 'c',
        conversation_type: 'test',
        event_type: 'changed',
        event_data: {},
      }))
      const published = await request('POST', demo.api('/events'), events)
      expect(published.status).toBe(202)
      for (const { event_id } of events) {
        const [run] = (await demo.biography(event_id, 'succeeded')).runs
        expect(run?.steps.map((step) => step.step_id)).toEqual([`v${version}`])
      }
    }
    const taken = await Promise.all(
      system.dispatchers.map(({ url }) => metric(url, 'signalbox_dispatcher_events_total')),
    )
    expect(Math.min(...taken), 'both dispatchers took events').toBeGreaterThan(0)
  })
})

describe('a handler worker in Python', () => {
  it('takes part in a chain', async () => {
    const python = '/usr/bin/python3'
    await ensureDebianPackages(['python3', 'python3-pika'], {
      probe: () => exits(python, ['-c', 'import pika']),
    })
    const worker = spawn(python, ['examples/python/minimal_worker.py'], {
      env: {
        PATH: process.env.PATH ?? '',
        AMQP_URL: amqpUrl,
        SIGNALBOX_API_URL: system.api.url,
        SIGNALBOX_ADMIN_KEY: ADMIN_KEY,
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    try {
      await putChain(system.api, account, 'reverse', {
        name: 'Reverse, then log',
        trigger: { conversation_type: 'chat', event_type: 'said' },
        steps: [
          { id: 'reversed', handler: 'reverse', config: { text: '${{ event.event_data.text }}' } },
          {
            id: 'note',
            handler: 'log',
            when: 'results.reversed.text == "xoblangis"',
            config: { message: '${{ results.reversed.text }}' },
          },
        ],
      })
      const event = {
        event_id: 'said-1',
        conversation_key: 'c',
        conversation_type: 'chat',
        event_type: 'said',
        event_data: { text: 'signalbox' },
      }
      expect((await request('POST', demo.api('/events'), event)).status).toBe(202)
      expect(await demo.biography('said-1', 'succeeded')).toMatchObject({
        runs: [
          {
            steps: [
              { step_id: 'reversed', status: 'succeeded' },
              { step_id: 'note', status: 'succeeded' },
            ],
          },
        ],
      })
    } finally {
      worker.kill('SIGKILL')
    }
  })
})

describe('two dispatchers, two workers, two edges', () => {
  it('run the chain of each event once, and show each subscriber each frame once and in order per person', async () => {
    await putChain(system.api, account, 'each', {
      name: 'Each',
      trigger: { conversation_type: 'load', event_type: 'flow_state_change' },
      steps: [{ id: 'note', handler: 'log', config: { message: 'seen' } }],
    })
    const people = Array.from({ length: 10 }, (_, index) => `person-${index}`)
    const changes = 20
    const sockets = await Promise.all(
      people.flatMap((person) =>
        system.edges.map((edge) => demo.subscribed(edge.url, person, 'flow', person)),
      ),
    )
    try {
      for (let change = 0; change < changes; change++) {
        for (const person of people) {
          publishPlain('load.flow_state_change.demo', {
            event_id: `${person}/${change}`,
            account_key: account,
            conversation_key: 'load',
            conversation_type: 'load',
            event_type: 'flow_state_change',
            person_key: person,
            event_data: {
              id: String(change),
              identifier: 'load',
              state: change % 2 ? 'paused' : 'active',
              previous_state: null,
            },
          })
        }
      }
      await plain.waitForConfirms()
      for (const [index, socket] of sockets.entries()) {
        const ids: string[] = []
        for (let change = 0; change < changes; change++) {
          ids.push((JSON.parse(await socket.next()) as { data: { id: string } }).data.id)
        }
        expect(ids, people[index >> 1]).toEqual(
          Array.from({ length: changes }, (_, change) => String(change)),
        )
      }
      for (const person of people) {
        for (let change = 0; change < changes; change++) {
          expect((await demo.biography(`${person}/${change}`, 'succeeded')).runs).toHaveLength(1)
        }
      }
      // A trailing change proves that nothing else was on its way: it would have come before.
      for (const [index, socket] of sockets.entries()) {
        if (index % 2 === 0) publishProof(people[index >> 1]!)
        expect(JSON.parse(await socket.next())).toMatchObject({ data: { id: 'proof' } })
        expect(socket.pending).toEqual([])
      }
    } finally {
      await Promise.all(sockets.map((socket) => socket[Symbol.asyncDispose]()))
    }
  })
})

function publishPlain(routingKey: string, event: object): void {
  plain.publish(`${namespace}.events`, routingKey, Buffer.from(JSON.stringify(event)), {
    mandatory: true,
    deliveryMode: 2,
  })
}

function publishProof(person: string): void {
  publishPlain('other.flow_state_change.demo', {
    account_key: account,
    conversation_key: 'other',
    conversation_type: 'other',
    event_type: 'flow_state_change',
    person_key: person,
    event_data: { id: 'proof', identifier: 'proof', state: 'active', previous_state: null },
  })
}

function exits(command: string, args: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    spawn(command, args, { stdio: 'ignore' })
      .on('error', () => resolve(false))
      .on('exit', (code) => resolve(code === 0))
  })
}
