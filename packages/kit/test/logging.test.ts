import { describe, expect, test } from 'vitest'
import { createLogger, maskUrl, silentLog } from '../src/index.ts'

function logger(level = 'info') {
  const lines: string[] = []
  const log = createLogger({
    service: 'tested',
    level,
    destination: { write: (line) => void lines.push(line) },
  })
  return { log, lines: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

test('a line has its time, level, service and event name', () => {
  const { log, lines } = logger()
  log.info({ queue: 'q', durationMs: 5 }, 'delivery.settled')
  expect(lines()).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      service: 'tested',
      queue: 'q',
      durationMs: 5,
      msg: 'delivery.settled',
    },
  ])
})

test('an error is logged with its kind, code, stack and cause', () => {
  const { log, lines } = logger()
  const error = Object.assign(new TypeError('no', { cause: new Error('why') }), { code: 'E1' })
  log.error({ err: error }, 'failed')
  expect(lines()[0]).toMatchObject({
    level: 'error',
    err: { type: 'TypeError', code: 'E1', message: expect.stringContaining('no') },
  })
  expect(JSON.stringify(lines()[0])).toContain('why')
})

test('what is below the level is not logged', () => {
  const { log, lines } = logger('warn')
  log.debug({}, 'a')
  log.info({}, 'b')
  log.warn({}, 'c')
  expect(lines().map((line) => line.msg)).toEqual(['c'])
})

describe('a secret is never logged', () => {
  test.each([
    'authorization',
    'password',
    'secret',
    'token',
    'key',
    'apiKey',
    'adminKey',
    'cookie',
  ])('as %s, three levels deep', (field) => {
    const { log, lines } = logger()
    log.info({ [field]: 'hunter2', a: { [field]: 'hunter2', b: { [field]: 'hunter2' } } }, 'x')
    expect(JSON.stringify(lines())).not.toContain('hunter2')
    expect(lines()[0]).toHaveProperty(field, '[redacted]')
  })

  test('and keys that identify are', () => {
    const { log, lines } = logger()
    log.info({ account_key: 'acme', event_id: 'e1' }, 'x')
    expect(lines()[0]).toMatchObject({ account_key: 'acme', event_id: 'e1' })
  })
})

test.each([
  ['amqp://user:hunter2@rabbit:5672/vhost', 'amqp://user:***@rabbit:5672/vhost'],
  ['redis://:hunter2@redis:6379/0', 'redis://:***@redis:6379/0'],
  ['redis://redis:6379', 'redis://redis:6379'],
  ['hunter2', '[not a URL]'],
])('%s is shown as %s', (url, shown) => {
  expect(maskUrl(url)).toBe(shown)
})

test('a silent log takes everything and keeps nothing', () => {
  expect(() => {
    silentLog.debug({}, 'a')
    silentLog.info({}, 'a')
    silentLog.warn({}, 'a')
    silentLog.error({}, 'a')
  }).not.toThrow()
})
