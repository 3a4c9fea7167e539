/** The commands against a standalone on the memory engine, a process of its own. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { verifySignature } from '@signalbox/outbound'
import { freePort, startProcess, type TestProcess, waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Running, run, serve, start } from './bed.ts'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const STANDALONE = new URL('../../../services/standalone/src/main.ts', import.meta.url)
const START_TIMEOUT_MS = 30_000
const SECRET = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY='

let standalone: TestProcess
let ports: Record<string, number>
let env: Record<string, string>
let folder: string

beforeAll(async () => {
  ports = { API_PORT: await freePort(), EDGE_PORT: await freePort(), SURVEY_PORT: await freePort() }
  env = {
    SIGNALBOX_API_URL: `http://127.0.0.1:${ports.API_PORT}`,
    SIGNALBOX_EDGE_URL: `ws://127.0.0.1:${ports.EDGE_PORT}`,
  }
  folder = await mkdtemp(join(tmpdir(), 'signalbox-cli-'))
  standalone = await startStandalone()
}, START_TIMEOUT_MS)
afterAll(async () => {
  await standalone?.[Symbol.asyncDispose]()
  if (folder) await rm(folder, { recursive: true })
})

async function startStandalone(): Promise<TestProcess> {
  const texts = Object.entries(ports).map(([name, port]) => [name, `${port}`])
  const started = await startProcess({
    name: 'standalone',
    entry: STANDALONE,
    env: Object.fromEntries(texts) as Record<string, string>,
  })
  await started.waitForReady(env.SIGNALBOX_API_URL!)
  return started
}

/** In an account of its own. */
const as = (account: string, rest: object = {}) => ({
  env: { ...env, SIGNALBOX_ACCOUNT: account },
  ...rest,
})

const follows = (running: Running) =>
  waitFor(() => running.stderr().includes('following account'), { what: 'it to follow' })

const ONE = ['--conversation', 'spring', '--conversation-type', 'poll', '--event-type', 'answered']

describe('events', () => {
  test('what is published is seen by tail, in order, and by others not', async () => {
    const tail = start(['events', 'tail', '--json', '--count', '3'], as('tailed'))
    await follows(tail)
    const flags = ['--person', 'p1', '--data', '{"score": 7}', '--event-id', 'first']
    expect(await run(['events', 'publish', ...ONE, ...flags], as('tailed'))).toMatchObject({
      code: 0,
      stdout: 'first\n',
    })
    await run(['events', 'publish', ...ONE], as('another'))
    const lines = [2, 3].map((score) =>
      JSON.stringify({
        conversation_key: 'spring',
        conversation_type: 'poll',
        event_type: 'answered',
        event_data: { score },
      }),
    )
    const many = await run(
      ['events', 'publish', '-f', '-', '--json'],
      as('tailed', { stdin: lines.join('\n') }),
    )
    expect(many).toMatchObject({ code: 0, objects: [{ event_id: expect.any(String) }, {}] })
    expect(await tail.code).toBe(0)
    expect(tail.objects()).toMatchObject([
      { event_id: 'first', account_key: 'tailed', person_key: 'p1', event_data: { score: 7 } },
      { event_data: { score: 2 } },
      { event_data: { score: 3 } },
    ])
  })

  test('tail shows a line per event that fits, and ends in order when it is asked to', async () => {
    const interrupt = new AbortController()
    const filter = ['--event-type', 'a', '--event-type', 'b', '--when', 'event.event_data.n > 1']
    const tail = start(['events', 'tail', ...filter], as('lines', { signal: interrupt.signal }))
    await follows(tail)
    const eventOf = (event_type: string, n: number) => ({
      conversation_key: 'k',
      conversation_type: 'chat',
      event_type,
      event_data: { n },
      timestamp: '2026-01-31T09:30:00.000Z',
    })
    const stdin = JSON.stringify([
      eventOf('a', 1),
      eventOf('c', 2),
      eventOf('a', 2),
      eventOf('b', 3),
    ])
    await run(['events', 'publish', '-f', '-'], as('lines', { stdin }))
    await waitFor(() => tail.stdout().includes('chat.b'), { what: 'the last to be shown' })
    interrupt.abort()
    expect(await tail.code).toBe(0)
    expect(tail.stdout()).toBe(
      '2026-01-31T09:30:00.000Z  chat.a  k  {"n":2}\n2026-01-31T09:30:00.000Z  chat.b  k  {"n":3}\n',
    )
    expect(tail.stderr()).toContain('using the development key of a standalone, account "lines"')
  })

  test('a condition that is none, and a key that is not taken, end tail with 3', async () => {
    const bad = await run(['events', 'tail', '--when', 'event.('], as('refused'))
    expect(bad.code).toBe(3)
    expect(bad.stderr).toMatch(/SB_INVALID_EXPRESSION, 400[\s\S]*when: /)
    const key = await run(['events', 'tail', '--api-key', 'not-this-one'], as('refused'))
    expect(key.code).toBe(3)
    expect(key.stderr).toContain('Check --api-key')
    expect(key.stderr).not.toContain('not-this-one')
  })

  test('an edge that is not there ends tail with 4 and its address', async () => {
    const none = await run(['events', 'tail', '--edge-url', 'ws://127.0.0.1:1'], as('none'))
    expect(none.code).toBe(4)
    expect(none.stderr).toContain('The edge at ws://127.0.0.1:1 cannot be reached')
  })

  test('a bad event ends publish with 2 and its place, and none is sent', async () => {
    const stdin = '[{"conversation_key":"k"}]'
    const bad = await run(['events', 'publish', '-f', '-', '--json'], as('bad', { stdin }))
    expect(bad.code).toBe(2)
    expect(JSON.parse(bad.stderr.split('\n').at(-2)!)).toMatchObject({
      exit_code: 2,
      error: { errors: expect.arrayContaining([{ path: 'event_type', message: 'is required' }]) },
    })
  })
})

describe('chains', () => {
  const chain = (message: string) => `
name: Note it
trigger: {conversation_type: chat, event_type: said}
steps:
  - {id: note, handler: log, config: {message: ${message}}}
`
  test('diff tells before apply does, and neither has anything to do after it', async () => {
    const file = join(folder, 'note-it.yaml')
    const each = (command: string, ...rest: string[]) =>
      run(['chains', command, '-f', file, ...rest], as('chains'))
    await writeFile(file, chain('one'))
    const made = await each('diff')
    expect(made.code).toBe(1)
    expect(made.stdout).toContain(`--- none\n+++ ${file}\n@@ -0,0 +1,`)
    expect(await each('apply', '--dry-run')).toMatchObject({
      code: 0,
      stdout: 'would be created  note-it\n',
    })
    expect(await each('apply')).toMatchObject({
      code: 0,
      stdout: 'created  note-it (version 1)\n',
    })
    expect(await each('diff')).toMatchObject({ code: 0, stdout: '' })

    await writeFile(file, chain('two'))
    const changed = await each('diff')
    expect(changed.code).toBe(1)
    expect(changed.stdout).toMatch(/-\s+message: one\n\+\s+message: two\n/)
    expect((await each('diff', '--json')).objects).toMatchObject([
      { chain_id: 'note-it', change: 'changed', before: {}, after: { name: 'Note it' } },
    ])
    expect((await each('apply', '--json')).objects).toEqual([
      { chain_id: 'note-it', change: 'changed', version: 2 },
    ])
    expect(await each('apply')).toMatchObject({ code: 0, stdout: 'unchanged  note-it\n' })
  })

  test('a fault in one is told with its place, and none is sent', async () => {
    const stdin = `---\nchain_id: good\n${chain('x')}---\nchain_id: bad\n${chain('x').replace('log', 'lgo')}`
    const bad = await run(['chains', 'apply', '-f', '-'], as('faults', { stdin }))
    expect(bad.code).toBe(2)
    expect(bad.stderr).toContain('  stdin[1]: steps[0].handler: ')
    const good = await run(
      ['chains', 'diff', '-f', '-', '--json'],
      as('faults', { stdin: `chain_id: good\n${chain('x')}` }),
    )
    expect(good.objects).toMatchObject([{ change: 'created', before: null }])
  })

  test('a loop is a warning, and with --strict refused by the name of the chain', async () => {
    const stdin = `
chain_id: again
name: Again
trigger: {conversation_type: chat, event_type: ping}
steps:
  - id: fire
    handler: fire_event
    config: {conversation_key: k, conversation_type: chat, event_type: ping, event_data: {}}
`
    const strict = await run(['chains', 'apply', '-f', '-', '--strict'], as('loops', { stdin }))
    expect(strict.code).toBe(3)
    expect(strict.stderr).toContain('chain "again": the chain is not valid (SB_INVALID_CHAIN, 400)')
    const warned = await run(['chains', 'apply', '-f', '-'], as('loops', { stdin }))
    expect(warned.code).toBe(0)
    expect(warned.stdout).toMatch(/^created {2}again \(version 1\)\n {2}warning: /)
  })
})

test('a listener is added with a secret of its own, is listed without it, and is gone when it is removed', async () => {
  const url = 'https://hooks.example.org/in'
  const header = ['--secret-header', 'Authorization: Bearer hush']
  const added = await run(
    ['listener-add', 'task', 'c1', url, '--id', 'mine', ...header],
    as('told'),
  )
  expect(added.code).toBe(0)
  expect(added.stdout).toMatch(
    /^added {2}mine {2}active {2}TASK {2}c1 {2}https:.*\n {2}signing secret, shown this once: whsec_/,
  )
  const amqp =
    'listener_id: other\nevents: [on-task-error]\ncallback: {type: amqp, exchange: theirs}\n'
  const other = await run(['listener-add', '-f', '-', '--json'], as('told', { stdin: amqp }))
  expect(other.objects).toMatchObject([{ secret: expect.stringMatching(/^whsec_/) }])

  const listed = await run(['listener-list', '--json'], as('told'))
  expect(listed.objects).toMatchObject([{ listener_id: 'mine' }, { listener_id: 'other' }])
  expect(listed.stdout).not.toMatch(/whsec_|hush/)
  const refused = await run(['listener-add', 'task', 'c1', 'http://10.0.0.1/in'], as('told'))
  expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('  callback.url: ') })

  expect(await run(['listener-remove', 'mine', 'other'], as('told'))).toMatchObject({ code: 0 })
  expect(await run(['listener-list'], as('told'))).toMatchObject({ code: 0, stdout: '' })
  expect(await run(['listener-remove', 'mine'], as('told'))).toMatchObject({ code: 3 })
})

describe('listen', () => {
  test('forwards each event once and in order, signed as a callback is, and shows the answers', async () => {
    await using receiver = await serve(({ body }) =>
      body.includes('"n":2') ? { status: 500, body: 'no\u001b[2J' } : { status: 204 },
    )
    const options = ['--count', '2', '--secret', SECRET, '--header', 'X-Mine: yes']
    const listening = start(['listen', `${receiver.url}/hook`, ...options], as('listened'))
    await follows(listening)
    for (const n of [1, 2]) {
      await run(['events', 'publish', ...ONE, '--data', `{"n":${n}}`], as('listened'))
    }
    expect(await listening.code).toBe(1)
    const bodies = receiver.received.map(({ body }) => JSON.parse(body) as object)
    expect(bodies).toMatchObject([
      { account_key: 'listened', event_type: 'answered', event_data: { n: 1 } },
      { event_data: { n: 2 } },
    ])
    for (const { headers, body } of receiver.received) {
      const verified = { headers, body, secrets: [SECRET] }
      expect(verifySignature(verified, { nowMs: Date.now() })).toEqual({ isValid: true })
      expect(headers).toMatchObject({ 'x-mine': 'yes', 'content-type': 'application/json' })
    }
    expect(listening.stdout()).toMatch(/-> 204 in \d+ ms\n/)
    expect(listening.stdout()).toMatch(
      /-> refused: 127\.0\.0\.1 answered 500 in \d+ ms {2}no\\u001b/,
    )
    expect(listening.stderr()).toContain('2 forwarded, 1 of them answered 2xx')
    expect(listening.stdout() + listening.stderr()).not.toContain(SECRET)
  })

  test('without a secret nothing is signed', async () => {
    await using receiver = await serve(() => ({ status: 200 }))
    const listening = start(['listen', receiver.url, '--count', '1', '--json'], as('unsigned'))
    await follows(listening)
    await run(['events', 'publish', ...ONE], as('unsigned'))
    expect(await listening.code).toBe(0)
    expect(receiver.received[0]?.headers).not.toHaveProperty('webhook-signature')
    expect(listening.objects()).toMatchObject([
      { event: { event_type: 'answered' }, answer: { outcome: 'delivered', status: 200 } },
    ])
  })

  test('a secret or a URL that is none ends with 2, and is not repeated', async () => {
    const secret = await run(['listen', 'http://127.0.0.1:1', '--secret', 'hush'], as('x'))
    expect(secret).toMatchObject({ code: 2, stderr: expect.stringContaining('whsec_') })
    expect(secret.stderr).not.toContain('hush')
    expect(await run(['listen', 'http://u:hush@127.0.0.1:1'], as('x'))).toMatchObject({
      code: 2,
      stderr: expect.not.stringContaining('hush'),
    })
  })

  test('Ctrl-C ends the process with 0, after the answer at hand', async () => {
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    const receiver = createServer((_request, response) => {
      asked.resolve()
      void answer.promise.then(() => response.end())
    })
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
    const { port } = receiver.address() as AddressInfo
    const child = spawn(process.execPath, [MAIN, 'listen', `http://127.0.0.1:${port}`], {
      env: { ...env, SIGNALBOX_ACCOUNT: 'interrupted' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (text += part))
    const ended = new Promise((resolve) => child.once('close', resolve))
    await waitFor(() => text.includes('following account'), { what: 'it to follow' })
    await run(['events', 'publish', ...ONE], as('interrupted'))
    await asked.promise
    child.kill('SIGINT')
    await waitFor(() => text.includes('waiting for the answer at hand'), { what: 'it to wait' })
    answer.resolve()
    expect(await ended).toBe(0)
    expect(text).toContain('-> 200')
    expect(text).toContain('1 forwarded, 1 of them answered 2xx')
    receiver.close()
  })

  test('who reads no further ends it without a complaint', async () => {
    const command = `${process.execPath} ${MAIN} events tail --json | head -n 1`
    const child = spawn('bash', ['-c', `set -o pipefail; ${command}`], {
      env: { ...env, PATH: process.env.PATH ?? '', SIGNALBOX_ACCOUNT: 'piped' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let errors = ''
    child.stderr.on('data', (part) => (errors += part))
    child.stdout.resume()
    let isOver = false
    const ended = new Promise((resolve) => child.once('close', resolve))
    void ended.then(() => (isOver = true))
    await waitFor(() => errors.includes('following account'), { what: 'it to follow' })
    await waitFor(
      async () => {
        await run(['events', 'publish', ...ONE], as('piped'))
        return isOver
      },
      { what: 'the pipe to end' },
    )
    expect(await ended).toBe(0)
    expect(errors).not.toContain('EPIPE')
  })
})

test('a Signalbox that ends and comes again is followed again, and what may be missing is told', {
  timeout: START_TIMEOUT_MS,
}, async () => {
  const tail = start(['events', 'tail', '--json', '--count', '2'], as('restarted'))
  await follows(tail)
  await run(['events', 'publish', ...ONE], as('restarted'))
  await waitFor(() => tail.objects().length === 1, { what: 'the first to be shown' })
  await standalone[Symbol.asyncDispose]()
  await waitFor(() => tail.stderr().includes('trying again in'), { what: 'the loss to be told' })
  standalone = await startStandalone()
  await waitFor(() => tail.stderr().includes('events are missing here'), {
    what: 'the gap to be told',
    timeoutMs: 20_000,
  })
  expect(tail.stderr()).toContain('connected again')
  await run(['events', 'publish', ...ONE], as('restarted'))
  expect(await tail.code).toBe(0)
  expect(tail.objects()).toHaveLength(2)
})
