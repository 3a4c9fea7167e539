import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'

const SERVICE = fileURLToPath(new URL('./fixtures/service.ts', import.meta.url))

interface LogLine {
  msg: string
  [field: string]: unknown
}

const children = new Set<ChildProcess>()
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})

/** Starts the service and collects its log. */
function startService(behaviour = '') {
  const child = spawn(process.execPath, [SERVICE, behaviour], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  const lines: LogLine[] = []
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => lines.push(JSON.parse(line) as LogLine))
  const exited = Promise.all([once(child, 'exit'), once(reader, 'close')]).then(
    ([[code, signal]]) => ({ code, signal }) as { code: number | null; signal: string | null },
  )
  return {
    messages: () => lines.map((line) => line.msg),
    line: (message: string) => lines.find((line) => line.msg === message),
    exited,
    signal: (name: NodeJS.Signals) => child.kill(name),
    async logged(message: string): Promise<void> {
      while (!lines.some((line) => line.msg === message)) await once(reader, 'line')
    },
  }
}

describe('a service', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'ends on %s: tears down in the reverse order and exits 0',
    async (signal) => {
      const service = startService()
      await service.logged('service.started')
      service.signal(signal)
      expect(await service.exited).toEqual({ code: 0, signal: null })
      expect(service.messages()).toEqual([
        'service.started',
        'service.stopping',
        'second.closed',
        'first.closed',
        'service.stopped',
      ])
      expect(service.line('service.stopping')).toMatchObject({ signal, service: 'tested' })
      expect(service.line('second.closed')?.readiness).toEqual({
        ready: false,
        reasons: { service: 'stopping' },
      })
    },
  )

  test('that cannot start logs why, closes what it had opened and exits 1', async () => {
    const service = startService('fail')
    expect(await service.exited).toEqual({ code: 1, signal: null })
    expect(service.messages()).toEqual([
      'service.failed',
      'second.closed',
      'first.closed',
      'service.stopped',
    ])
    expect(service.line('service.failed')).toMatchObject({
      level: 'error',
      err: { message: 'the port is taken' },
    })
  })

  test('that cannot drain in time says so and exits 1', async () => {
    const service = startService('drain-slowly')
    await service.logged('service.started')
    service.signal('SIGTERM')
    expect(await service.exited).toEqual({ code: 1, signal: null })
    expect(service.messages().at(-1)).toBe('service.drain_timed_out')
  })

  test.each([
    ['SIGTERM', 'SIGTERM'],
    ['SIGTERM', 'SIGINT'],
    ['SIGINT', 'SIGINT'],
  ] as const)('that drains on %s ends at once on a further %s', async (first, second) => {
    const service = startService('drain-forever')
    await service.logged('service.started')
    service.signal(first)
    await service.logged('service.stopping')
    service.signal(second)
    expect(await service.exited).toEqual({ code: 1, signal: null })
  })

  test('whose start hangs ends on a signal: tears down what there is and exits 0', async () => {
    const service = startService('start-slowly')
    await service.logged('start.hangs')
    service.signal('SIGTERM')
    expect(await service.exited).toEqual({ code: 0, signal: null })
    expect(service.messages()).toEqual([
      'start.hangs',
      'service.stopping',
      'second.closed',
      'first.closed',
      'service.stopped',
    ])
  })

  test('whose teardown fails closes the rest and exits 1', async () => {
    const service = startService('fail-to-close')
    await service.logged('service.started')
    service.signal('SIGTERM')
    expect(await service.exited).toEqual({ code: 1, signal: null })
    expect(service.messages()).toContain('first.closed')
    expect(service.messages()).toContain('service.teardown_failed')
  })
})
