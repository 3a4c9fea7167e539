import { describe, expect, test } from 'vitest'
import { conformancePlanOf } from '../../src/conformance/options.ts'
import { UsageError } from '../../src/usage-error.ts'

const AMQP_URL = 'amqp://127.0.0.1'
const planOf = (...args: string[]) => conformancePlanOf(['worker', ...args], { AMQP_URL })

test('a handler and an address are enough', () => {
  expect(planOf('--handler', 'reverse')).toMatchObject({
    asJson: false,
    worker: { amqpUrl: AMQP_URL, handler: 'reverse', namespace: 'signalbox', timeoutMs: 10_000 },
  })
})

test('every option is read, and the command gets the environment', () => {
  const args = ['--config', '{"a":1}', '--bad-config', '{"a":"x"}', '--command', 'python3 w.py']
  const others = ['--management-url', 'http://h:15672', '--timeout', '2.5s', '--namespace', 'mine']
  expect(planOf('--handler', 'reverse', ...args, ...others, '--json')).toEqual({
    asJson: true,
    worker: {
      amqpUrl: AMQP_URL,
      managementUrl: 'http://h:15672',
      handler: 'reverse',
      config: { a: 1 },
      badConfig: { a: 'x' },
      namespace: 'mine',
      command: { line: 'python3 w.py', env: { AMQP_URL } },
      timeoutMs: 2_500,
    },
  })
})

test('help needs nothing else', () => {
  expect(conformancePlanOf(['--help'], {})).toBeUndefined()
})

describe('a command line is refused, with the option and the fault', () => {
  test.each<[string, string[], RegExp]>([
    ['without a handler', [], /^--handler /],
    ['with a name that is none', ['--handler', 'a b'], /^--handler must be 1 to 64/],
    [
      'with a config that is not JSON',
      ['--handler', 'a', '--config', '{'],
      /^--config must be a JSON/,
    ],
    [
      'with a config that is a list',
      ['--handler', 'a', '--bad-config', '[]'],
      /^--bad-config must be/,
    ],
    [
      'with a time without a unit',
      ['--handler', 'a', '--timeout', '5'],
      /^--timeout must be a dur/,
    ],
    [
      'with too long a time',
      ['--handler', 'a', '--timeout', '6m'],
      /^--timeout must be a duration/,
    ],
    [
      'with another scheme',
      ['--handler', 'a', '--amqp-url', 'http://h'],
      /^--amqp-url must be an amqp/,
    ],
    ['with an option nobody knows', ['--handlr', 'a'], /--handlr/],
  ])('%s', (_case, args, message) => {
    expect(() => planOf(...args)).toThrow(UsageError)
    expect(() => planOf(...args)).toThrow(message)
  })

  test('for saying nothing, or something else than what can be checked', () => {
    expect(() => conformancePlanOf([], {})).toThrow('say what to check: worker, or edge')
    expect(() => conformancePlanOf(['console'], {})).toThrow('say what to check')
  })
})

describe('of an edge', () => {
  const edgePlanOf = (...args: string[]) => conformancePlanOf(['edge', ...args], {})
  const URLS = ['--url', 'ws://e:8081', '--api-url', 'http://a:8080']

  test('the address and an API, or a token, are enough', () => {
    expect(conformancePlanOf(['edge', ...URLS], { SIGNALBOX_ADMIN_KEY: 'k' })).toEqual({
      asJson: false,
      edge: {
        url: 'ws://e:8081',
        api: { url: 'http://a:8080', key: 'k' },
        accountKey: 'demo',
        token: undefined,
        timeoutMs: 10_000,
      },
    })
    const plan = edgePlanOf('--url', 'wss://e', '--token', 't', '--account', 'a', '--json')
    expect(plan).toMatchObject({ asJson: true, edge: { token: 't', accountKey: 'a' } })
    expect(edgePlanOf('--help')).toBeUndefined()
  })

  test.each<[string, string[], RegExp]>([
    ['no address', ['--token', 't'], /^--url must be a ws:/],
    ['another scheme', ['--url', 'http://e', '--token', 't'], /^--url must be a ws:/],
    ['neither API nor token', ['--url', 'ws://e'], /^--token or --api-url is needed/],
    ['an API without a key', URLS, /^--api-key is needed with --api-url/],
    ['a time without a unit', [...URLS, '--api-key', 'k', '--timeout', '5'], /^--timeout must be/],
    ['an option nobody knows', ['--handler', 'a'], /--handler/],
  ])('%s is refused', (_case, args, message) => {
    expect(() => edgePlanOf(...args)).toThrow(UsageError)
    expect(() => edgePlanOf(...args)).toThrow(message)
  })
})
