import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LoadReport } from '../../src/loadtest/report.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const UP_TIMEOUT_MS = 150_000

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'signalbox-loadtest-'))
})
afterAll(() => rm(folder, { recursive: true }))

interface Outcome {
  code: number
  stdout: string
  stderr: string
}

async function signalbox(...args: string[]): Promise<Outcome> {
  const run = promisify(execFile)(process.execPath, [MAIN, ...args], { env: process.env })
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: Outcome) => error,
  )
}

test('a bad command line ends with 2 and says what is wrong', async () => {
  const bad = await signalbox('loadtest', '--up', '--rate', 'fast')
  expect(bad.code).toBe(2)
  expect(bad.stderr).toContain('--rate must be a whole number from 1 to 20000')
  const unknown = await signalbox('juggle')
  expect(unknown.code).toBe(2)
  expect(unknown.stderr).toContain('there is no command "juggle"')
})

test('help ends with 0', async () => {
  const help = await signalbox('loadtest', '--help')
  expect(help.code).toBe(0)
  expect(help.stdout).toContain('Usage: signalbox loadtest')
})

test('a system that is not there ends with 1 and a reason', async () => {
  const none = await signalbox(
    'loadtest',
    ...['--amqp-url', 'amqp://127.0.0.1:1', '--redis-url', 'redis://127.0.0.1:1'],
    ...['--subscribers', '0'],
  )
  expect(none.code).toBe(1)
  expect(none.stderr).toContain('RabbitMQ and Redis to answer')
})

test('a system of its own handles and shows every event although its worker is killed meanwhile', {
  timeout: UP_TIMEOUT_MS,
}, async () => {
  const files = { json: join(folder, 'report.json'), html: join(folder, 'report.html') }
  const { code, stdout, stderr } = await signalbox(
    'loadtest',
    ...['--up', '--rate', '40', '--duration', '5s', '--workers', '2', '--subscribers', '6'],
    ...['--fault', 'kill worker at 1s for 500ms'],
    ...['--json', files.json, '--html', files.html],
  )
  expect(`${stdout}\n${stderr}`).toContain('OK: all 200 confirmed events are accounted for')
  expect(code).toBe(0)

  const report = JSON.parse(await readFile(files.json, 'utf8')) as LoadReport
  expect(report.totals).toMatchObject({ sent: 200, confirmed: 200, strangers: 0 })
  expect(report.totals.handled.arrived).toBe(200)
  expect(report.totals.shown.arrived).toBe(200)
  expect(report.faults).toMatchObject([{ text: 'kill worker at 1s for 0.5s', instance: 1 }])
  expect(report.faults[0]?.handledAfterMs).toBeDefined()
  await expect(readFile(files.html, 'utf8')).resolves.toContain('OK: all 200 confirmed events')
})
