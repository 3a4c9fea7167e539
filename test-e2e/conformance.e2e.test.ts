/** `signalbox conformance worker` as authors of workers run it, against the worker in Python. */
import { execFile } from 'node:child_process'
import {
  ensureDebianPackages,
  freePort,
  leaseRabbitMq,
  leaseRedis,
  startProcess,
} from '@signalbox/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ADMIN_KEY, TOKEN_SECRET } from './system.ts'

const PYTHON = '/usr/bin/python3'

const stack = new AsyncDisposableStack()
let amqpUrl: string
let managementUrl: string
let namespace: string
let apiUrl: string

beforeAll(async () => {
  await ensureDebianPackages(['python3', 'python3-pika'], {
    probe: async () => (await outcomeOf(PYTHON, ['-c', 'import pika'])).code === 0,
  })
  const [rabbitmq, redis] = [stack.use(await leaseRabbitMq()), stack.use(await leaseRedis())]
  ;({ amqpUrl, managementUrl } = rabbitmq)
  namespace = redis.namespace
  const port = await freePort()
  apiUrl = `http://127.0.0.1:${port}`
  const api = stack.use(
    await startProcess({
      name: 'api',
      entry: 'services/api/src/main.ts',
      env: {
        AMQP_URL: amqpUrl,
        REDIS_URL: redis.redisUrl,
        SIGNALBOX_NAMESPACE: namespace,
        SIGNALBOX_ADMIN_KEY: ADMIN_KEY,
        SIGNALBOX_TOKEN_SECRET: TOKEN_SECRET,
        HOST: '127.0.0.1',
        PORT: String(port),
      },
    }),
  )
  await api.waitForReady(apiUrl)
})
afterAll(() => stack.disposeAsync())

function conformance(...options: string[]) {
  return outcomeOf(
    process.execPath,
    ['packages/cli/src/main.ts', 'conformance', 'worker', '--handler', 'reverse', ...options],
    {
      PATH: process.env.PATH ?? '',
      AMQP_URL: amqpUrl,
      SIGNALBOX_NAMESPACE: namespace,
      SIGNALBOX_API_URL: apiUrl,
      SIGNALBOX_ADMIN_KEY: ADMIN_KEY,
    },
  )
}

const CONFIGS = ['--config', '{"text": "signalbox"}', '--bad-config', '{"text": 7}']
const COMMAND = ['--command', `${PYTHON} examples/python/reverse_worker.py`]

test('the worker in Python keeps every rule', async () => {
  const { code, stdout, stderr } = await conformance(
    ...CONFIGS,
    ...COMMAND,
    '--management-url',
    managementUrl,
    '--json',
  )
  const results = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: string; outcome: string })
  expect(results.filter(({ outcome }) => outcome !== 'passed')).toEqual([])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(results.length).toBeGreaterThan(15)
})

test('what is not kept is told with its reason, and ends in exit code 1', async () => {
  const { code, stdout } = await conformance('--config', '{"text": 7}', ...COMMAND)
  expect(stdout).toMatch(
    /^failed {2}answers-single: .*\n +the status is "failed", not "succeeded": .*BAD_CONFIG/m,
  )
  expect(stdout).toMatch(/^skipped reports-bad-config: .*\n +no bad config was given$/m)
  expect(stdout).toMatch(/^skipped survives-connection-loss: .*\n +no management URL was given/m)
  expect(stdout).toMatch(/^\d+ passed, 1 failed, 3 skipped\n$/m)
  expect(code).toBe(1)
})

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
