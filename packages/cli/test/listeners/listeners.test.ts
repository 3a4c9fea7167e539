import { describe, expect, test } from 'vitest'
import { problem, type Received, run, serve } from '../bed.ts'

const KEY = 'sbk.acme.k1.secret'
const SECRET = 'whsec_c2hvd24gb25jZSwgaGVyZSBhbmQgbm93aGVyZSBlbHNl'
const URL_AT = 'https://hooks.example.org/in'

const asKept = (sent: object) => ({
  listener_id: 'l1',
  name: 'HTTP',
  state: 'active',
  version: 1,
  ...sent,
})

/** As the listeners API answers. */
function api({ method, body }: Received) {
  if (method === 'DELETE') return { status: 204 }
  if (method === 'GET') {
    const callback = { type: 'http', url: URL_AT }
    const amqp = { type: 'amqp', exchange: 'theirs', routing_key: 'k' }
    const one = asKept({ event_types: ['TASK'], conversation_key: 'c1', callback })
    const two = asKept({
      listener_id: 'l2',
      state: 'disabled',
      disabled_reason: 'it answered 410',
      events: ['on-task-error'],
      callback: amqp,
    })
    return { status: 200, body: { items: [one, two] } }
  }
  return {
    status: 201,
    body: asKept({ ...(JSON.parse(body) as object), secret: SECRET }),
  }
}

async function runWith(...args: string[]) {
  await using server = await serve(api)
  const env = { SIGNALBOX_API_URL: server.url, SIGNALBOX_API_KEY: KEY }
  return Object.assign(await run(args, { env }), { received: server.received })
}

const bodyOf = ({ received }: { received: Received[] }) =>
  JSON.parse(received[0]?.body ?? '') as object

describe('listener-add', () => {
  test.each<[string, object]>([
    ['task', { event_types: ['TASK'] }],
    ['execution', { event_types: ['EXECUTION'] }],
    ['poll_complete,task', { event_types: ['poll_complete', 'TASK'] }],
    ['on-task-error', { events: ['on-task-error'] }],
    ['*', { event_types: ['*'] }],
  ])('%s is what is listened for', async (what, expected) => {
    const added = await runWith('listener-add', what, 'c1', URL_AT)
    expect(added.code).toBe(0)
    expect(bodyOf(added)).toEqual({
      ...expected,
      conversation_key: 'c1',
      callback: { type: 'http', url: URL_AT },
    })
    expect(added.received[0]).toMatchObject({
      method: 'POST',
      url: '/v1/accounts/acme/listeners',
    })
  })

  test('every option goes where it belongs, and * is every conversation', async () => {
    const added = await runWith(
      ...['listener-add', 'said', '*', URL_AT, '--name', 'Mine', '--conversation-type', 'chat'],
      ...['--when', 'true', '--header', 'X-A: 1', '--secret-header', 'Authorization: Bearer x:y'],
      ...['--method', 'PUT', '--signature', 'ed25519', '--id', 'mine'],
    )
    expect(bodyOf(added)).toEqual({
      listener_id: 'mine',
      name: 'Mine',
      event_types: ['said'],
      conversation_type: 'chat',
      when: 'true',
      signature: 'ed25519',
      callback: {
        type: 'http',
        url: URL_AT,
        method: 'PUT',
        headers: { 'X-A': '1' },
        secret_headers: { Authorization: 'Bearer x:y' },
      },
    })
  })

  test('the secret that the API shows once is shown, in words and as JSON', async () => {
    const { stdout } = await runWith('listener-add', 'task', 'c1', URL_AT)
    expect(stdout).toBe(
      `added  l1  active  TASK  c1  ${URL_AT}\n  signing secret, shown this once: ${SECRET}\n`,
    )
    const asJson = await runWith('listener-add', 'task', 'c1', URL_AT, '--json')
    expect(asJson.objects).toMatchObject([{ listener_id: 'l1', secret: SECRET }])
  })

  test.each<[string, string[], RegExp]>([
    ['nothing', [], /^give \{task/],
    ['a URL that is none', ['task', 'c1', 'hooks'], /^URL must be/],
    ['an event type that is none', ['a b', 'c1', URL_AT], /^EVENT_TYPE must be/],
    ['a conversation that is none', ['task', 'a b', URL_AT], /^CONVERSATION must be/],
    [
      'a header without a name',
      ['task', 'c', URL_AT, '--header', 'x'],
      /^--header must be written/,
    ],
    ['arguments beside a file', ['task', '-f', 'x'], /^--file stands for the arguments/],
  ])('%s is refused before anything is sent', async (_name, args, message) => {
    const refused = await runWith('listener-add', ...args)
    expect(refused).toMatchObject({ code: 2, received: [], stderr: expect.stringMatching(message) })
  })

  test('a listener of a file goes as it is written', async () => {
    await using server = await serve(api)
    const env = { SIGNALBOX_API_URL: server.url, SIGNALBOX_API_KEY: KEY }
    const stdin = 'events: [on-task-error]\ncallback: {type: amqp, exchange: theirs}\n'
    expect(await run(['listener-add', '-f', '-'], { env, stdin })).toMatchObject({ code: 0 })
    expect(bodyOf(server)).toEqual({
      events: ['on-task-error'],
      callback: { type: 'amqp', exchange: 'theirs' },
    })
  })
})

test('listener-list shows each on a line, or as JSON', async () => {
  const { code, stdout } = await runWith('listener-list')
  expect(code).toBe(0)
  expect(stdout.split('\n')).toEqual([
    `l1  active  TASK  c1  ${URL_AT}`,
    'l2  disabled (it answered 410)  on-task-error  *  amqp:theirs/k',
    '',
  ])
  const { objects } = await runWith('listener-list', '--json')
  expect(objects.map(({ listener_id }) => listener_id)).toEqual(['l1', 'l2'])
})

test('listener-remove removes each, and names the one that is not there', async () => {
  const removed = await runWith('listener-remove', 'l1', 'l/2')
  expect(removed).toMatchObject({ code: 0, stdout: 'removed  l1\nremoved  l/2\n' })
  expect(removed.received.map(({ url }) => url)).toEqual([
    '/v1/accounts/acme/listeners/l1',
    '/v1/accounts/acme/listeners/l%2F2',
  ])
  await using server = await serve(() => problem(404, 'SB_NOT_FOUND', { detail: 'there is none' }))
  const env = { SIGNALBOX_API_URL: server.url, SIGNALBOX_API_KEY: KEY }
  expect(await run(['listener-remove', 'l9'], { env })).toMatchObject({
    code: 3,
    stderr: 'listener "l9": there is none (SB_NOT_FOUND, 404)\n',
  })
})
