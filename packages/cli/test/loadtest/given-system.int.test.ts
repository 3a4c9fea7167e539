import { createManagementApi, leaseRabbitMq, leaseRedis } from '@signalbox/testkit'
import { expect, test } from 'vitest'
import { loadtest } from '../../src/loadtest/command.ts'
import { startService } from '../../src/loadtest/service.ts'

const ADMIN_KEY = 'admin-key-0123456789-0123456789-0123'
const TOKEN_SECRET = 'token-secret-0123456789-0123456789-0'
const SERVICES = new URL('../../../../services/', import.meta.url)

test('a running system is loaded, what is missing is told and ends with 1, and no chain, handler or queue stays behind', {
  timeout: 90_000,
}, async () => {
  await using rabbitmq = await leaseRabbitMq()
  await using redis = await leaseRedis()
  const { namespace } = redis
  const env = {
    AMQP_URL: rabbitmq.amqpUrl,
    REDIS_URL: redis.redisUrl,
    SIGNALBOX_NAMESPACE: namespace,
    SIGNALBOX_ADMIN_KEY: ADMIN_KEY,
    SIGNALBOX_TOKEN_SECRET: TOKEN_SECRET,
    SIGNALBOX_SEALING_KEY: '0a'.repeat(32),
  }
  await using stack = new AsyncDisposableStack()
  const [api, edge] = await Promise.all(
    ['api', 'edge', 'dispatcher'].map(async (name) =>
      stack.use(await startService({ name, entry: new URL(`${name}/src/main.ts`, SERVICES), env })),
    ),
  )
  const load = async (...options: string[]) => {
    let output = ''
    const target = {
      write: (text: string) => {
        output += text
      },
    }
    const given = [
      ...['--amqp-url', rabbitmq.amqpUrl, '--redis-url', redis.redisUrl, '--namespace', namespace],
      ...['--api-url', api!.url, '--edge-url', edge!.url, '--admin-key', ADMIN_KEY],
    ]
    const code = await loadtest([...given, ...options], {
      env: {},
      stdout: target,
      stderr: target,
      signal: new AbortController().signal,
    })
    return { code, output }
  }
  const tooLate = await load(
    ...['--rate', '5', '--duration', '1s', '--handler-time', '4s', '--drain', '1s'],
    ...['--subscribers', '0', '--chain-length', '1'],
  )
  expect(tooLate.output).toMatch(/FAILED.*5/s)
  expect(tooLate.code).toBe(1)
  const { code, output } = await load(
    ...['--via', 'http', '--rate', '50', '--duration', '2s', '--accounts', '2'],
    ...['--subscribers', '4', '--chain-length', '1', '--drain', '10s'],
  )
  expect(output).toContain('OK: all 100 confirmed events are accounted for')
  expect(output).not.toContain(ADMIN_KEY)
  expect(code).toBe(0)

  const queues = await createManagementApi(rabbitmq.managementUrl).get(`/queues/${rabbitmq.vhost}`)
  const names = (queues as { name: string }[]).map(({ name }) => name)
  expect(names).toContain(`${namespace}.dispatcher.events`)
  expect(names.filter((name) => name.includes('.handler.'))).toEqual([])

  const [run] = /loadtest-\w+/.exec(output) ?? []
  const ask = async (path: string): Promise<unknown> => {
    const headers = { authorization: `Bearer ${ADMIN_KEY}` }
    return (await fetch(`${api!.url}/v1/accounts/${path}`, { headers })).json()
  }
  await expect(ask(`${run}-0/events?limit=1`)).resolves.toMatchObject({ items: [{ runs: 1 }] })
  await expect(ask(`${run}-0/chains`)).resolves.toEqual({ items: [] })
  expect(JSON.stringify(await ask(`${run}-0/handlers`))).not.toContain(run)
})
