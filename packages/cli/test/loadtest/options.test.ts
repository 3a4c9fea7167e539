import { describe, expect, it } from 'vitest'
import { loadtestPlanOf } from '../../src/loadtest/options.ts'
import { UsageError } from '../../src/usage-error.ts'

const SECRET = 'a-secret-of-thirty-two-characters!'
const GIVEN = [
  ...['--amqp-url', 'amqp://user:hidden@127.0.0.1:5672'],
  ...['--redis-url', 'redis://localhost:6379', '--token-secret', SECRET],
]
const planOf = (...args: string[]) => loadtestPlanOf(args, {})

describe('the options of a load test', () => {
  it('have defaults that make a small load', () => {
    expect(planOf('--up')).toEqual({
      load: {
        rate: 200,
        durationMs: 10_000,
        chainLength: 2,
        handlerMs: 0,
        accounts: 4,
        conversations: 100,
        subscribers: 20,
        payloadBytes: 200,
        via: 'amqp',
        lateMs: 1_000,
        drainMs: 30_000,
        workers: 1,
      },
      system: { kind: 'own', dispatchers: 1, edges: 1, brokerNodes: 1, faults: [] },
    })
  })

  it('write out the faults that are repeated', () => {
    const faults = ['--fault', 'kill rabbitmq:3,worker:2 every 4s for 1s']
    const plan = planOf('--up', '--cluster', '3', '--workers', '2', ...faults)
    expect(plan?.system).toMatchObject({
      faults: [
        { target: 'rabbitmq', instance: 3, atMs: 4_000 },
        { target: 'worker', instance: 2, atMs: 8_000 },
      ],
    })
  })

  it('are undefined when help is asked for', () => {
    expect(planOf('--help')).toBeUndefined()
  })

  it('take the addresses of a running system from the environment too', () => {
    const env = {
      AMQP_URL: 'amqp://127.0.0.1',
      REDIS_URL: 'redis://[::1]:6379',
      SIGNALBOX_NAMESPACE: 'elsewhere',
      SIGNALBOX_TOKEN_SECRET: SECRET,
    }
    expect(loadtestPlanOf([], env)?.system).toEqual({
      kind: 'given',
      amqpUrl: env.AMQP_URL,
      redisUrl: env.REDIS_URL,
      namespace: 'elsewhere',
      edgeUrls: ['ws://127.0.0.1:8081'],
      apiUrl: 'http://127.0.0.1:8080',
      tokenSecret: SECRET,
    })
  })

  it.each([
    [['--up', '--rate', '0'], '--rate must be a whole number from 1 to 20000'],
    [['--up', '--rate', '1e3'], '--rate must be a whole number from 1 to 20000'],
    [['--up', '--duration', '61m'], '--duration must be a duration such as 500ms, 10s or 2m'],
    [['--up', '--via', 'pigeon'], '--via must be amqp or http'],
    [['--up', '--cluster', '2'], '--cluster must be 3'],
    [['--up', '--nonsense'], "Unknown option '--nonsense'"],
    [['--up', '--fault', 'kill me'], '--fault "kill me" must read'],
    [['--up', '--fault', 'kill edge at 20s for 1s'], 'begins after the load has ended'],
    [['--up', '--fault', 'kill rabbitmq:2 at 1s for 1s'], 'there is no more than 1 rabbitmq'],
    [['--up', '--amqp-url', 'amqp://127.0.0.1'], '--amqp-url does not go with --up'],
    [['--up', '--edge-url', 'ws://127.0.0.1'], '--edge-url does not go with --up'],
    [['--up', '--rate', '20000', '--duration', '60m'], 'shorten the run'],
    [[], 'give --up, or both --amqp-url and --redis-url'],
    [['--amqp-url', 'amqp://127.0.0.1'], 'give --up, or both --amqp-url and --redis-url'],
    [['--amqp-url', 'http://127.0.0.1'], '--amqp-url must be a URL that begins with amqp:// or'],
    [[...GIVEN, '--fault', 'kill edge at 1s for 1s'], '--fault needs --up'],
    [[...GIVEN, '--edges', '2'], '--edges does not go with a system that runs already'],
    [[...GIVEN, '--via', 'http'], '--via http needs --admin-key'],
    [GIVEN.slice(0, 4), 'give --token-secret or --admin-key, or --subscribers 0'],
    [[...GIVEN, '--edge-url', 'ws://edge.example'], '--edge-url names edge.example, which is not'],
  ])('that are wrong are named with their fault: %j', (args, message) => {
    expect(() => planOf(...args)).toThrow(UsageError)
    expect(() => planOf(...args)).toThrow(message)
  })

  it('refuse a remote broker without showing its credentials, unless that is allowed', () => {
    const remote = GIVEN.map((text) => text.replace('127.0.0.1', 'rabbit.example'))
    expect(() => planOf(...remote)).toThrow(
      /^--amqp-url names rabbit\.example, which is not a loopback address; --allow-remote permits it$/,
    )
    expect(planOf(...remote, '--allow-remote')?.system).toMatchObject({ kind: 'given' })
  })
})
