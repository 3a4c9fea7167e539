/** `signalbox conformance` as its users run it: against the worker in Python, and against an edge. */
import { execFile } from 'node:child_process'
import { ensureDebianPackages, leaseRabbitMq, leaseRedis } from '@signalbox/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Edge, startApi, startEdge } from './edges.ts'
import { ADMIN_KEY, request } from './system.ts'

const PYTHON = '/usr/bin/python3'

const stack = new AsyncDisposableStack()
let amqpUrl: string
let managementUrl: string
let namespace: string
let apiUrl: string
let edge: Edge

beforeAll(async () => {
  await ensureDebianPackages(['python3', 'python3-pika'], {
    probe: async () => (await outcomeOf(PYTHON, ['-c', 'import pika'])).code === 0,
  })
  const [rabbitmq, redis] = [stack.use(await leaseRabbitMq()), stack.use(await leaseRedis())]
  ;({ amqpUrl, managementUrl } = rabbitmq)
  namespace = redis.namespace
  const brokers = { amqpUrl, redisUrl: redis.redisUrl, namespace }
  const api = await startApi(brokers)
  stack.use(api.process)
  apiUrl = api.url
  edge = stack.use(await startEdge(brokers))
  await edge.ready()
})
afterAll(() => stack.disposeAsync())

function conformance(...args: string[]) {
  return outcomeOf(process.execPath, ['packages/cli/src/main.ts', 'conformance', ...args], {
    PATH: process.env.PATH ?? '',
    AMQP_URL: amqpUrl,
    SIGNALBOX_NAMESPACE: namespace,
    SIGNALBOX_API_URL: apiUrl,
    SIGNALBOX_ADMIN_KEY: ADMIN_KEY,
  })
}

const WORKER = ['worker', '--handler', 'reverse']
const CONFIGS = ['--config', '{"text": "signalbox"}', '--bad-config', '{"text": 7}']
const COMMAND = ['--command', `${PYTHON} examples/python/reverse_worker.py`]

test('the worker in Python keeps every rule', async () => {
  const { code, stdout, stderr } = await conformance(
    ...WORKER,
    ...CONFIGS,
    ...COMMAND,
    '--management-url',
    managementUrl,
    '--json',
  )
  const results = resultsIn(stdout)
  expect(results.filter(({ outcome }) => outcome !== 'passed')).toEqual([])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(results.length).toBeGreaterThan(15)
})

test('what is not kept is told with its reason, and ends in exit code 1', async () => {
  const { code, stdout } = await conformance(...WORKER, '--config', '{"text": 7}', ...COMMAND)
  expect(stdout).toMatch(
    /^failed {2}answers-single: .*\n +the status is "failed", not "succeeded": .*BAD_CONFIG/m,
  )
  expect(stdout).toMatch(/^skipped reports-bad-config: .*\n +no bad config was given$/m)
  expect(stdout).toMatch(/^skipped survives-connection-loss: .*\n +no management URL was given/m)
  expect(stdout).toMatch(/^\d+ passed, 1 failed, 3 skipped\n$/m)
  expect(code).toBe(1)
})

test('an edge keeps every rule', async () => {
  const edgeUrl = edge.url.replace(/^http/, 'ws')
  const { code, stdout, stderr } = await conformance(
    ...['edge', '--url', edgeUrl, '--api-url', apiUrl, '--account', 'conformance', '--json'],
  )
  const results = resultsIn(stdout)
  expect(results.filter(({ outcome }) => outcome !== 'passed')).toEqual([])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(results.length).toBeGreaterThan(30)
})

test('a token alone checks what needs no other, and skips the rest', async () => {
  const { body } = await request<{ token: string }>(
    'POST',
    `${apiUrl}/v1/accounts/conformance/tokens`,
    { person_key: 'p1' },
  )
  const edgeUrl = edge.url.replace(/^http/, 'ws')
  const { code, stdout } = await conformance('edge', '--url', edgeUrl, '--token', body.token)
  expect(stdout).toMatch(/^passed {2}answers-in-order: /m)
  expect(stdout).toMatch(/^skipped shows-changes: .*\n +no API was given$/m)
  expect(stdout).toMatch(/^\d+ passed, 0 failed, \d+ skipped\n$/m)
  expect(code).toBe(0)
})

function resultsIn(stdout: string) {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: string; outcome: string })
}

function outcomeOf(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { env }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    )
  })
}
