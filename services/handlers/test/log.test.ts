import { silentLog } from '@signalbox/kit'
import { testHandler } from '@signalbox/worker/testing'
import { expect, test } from 'vitest'
import { logHandler } from '../src/log.ts'

function recorder() {
  const lines: { level: string; fields: object; message: string }[] = []
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields, message })
  return { lines, log: { ...silentLog, info: at('info'), warn: at('warn') } }
}

test('writes one line at its level, with what it is about', async () => {
  const { lines, log } = recorder()
  const { status } = await testHandler(logHandler(log), {
    config: { message: 'hello\nthere', level: 'warn' },
    event: { account_key: 'acme', event_id: 'e1' },
    idempotencyKey: 'i1',
  })
  expect(status).toBe('succeeded')
  expect(lines).toEqual([
    {
      level: 'warn',
      fields: { accountKey: 'acme', eventId: 'e1', invocationId: 'i1', text: 'hello\nthere' },
      message: 'handler.log',
    },
  ])
})

test('writes other values as JSON, and cuts what is long', async () => {
  const { lines, log } = recorder()
  await testHandler(logHandler(log), { config: { message: { score: 5 } } })
  await testHandler(logHandler(log), { config: { message: 'x'.repeat(10_000) } })
  expect(lines[0]).toMatchObject({ level: 'info', fields: { text: '{"score":5}' } })
  expect(lines[1]).toMatchObject({ fields: { text: `${'x'.repeat(4_096)}…` } })
})
