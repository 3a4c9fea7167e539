import { expect, test } from 'vitest'
import { run } from './bed.ts'

const COMMANDS = [
  'events publish',
  'events tail',
  'listen',
  'listener-add',
  'listener-list',
  'listener-remove',
  'chains apply',
  'chains diff',
]

test('the help names every command, and a group names its own', async () => {
  const { code, stdout } = await run([])
  expect(code).toBe(0)
  for (const name of COMMANDS) expect(stdout).toContain(`  ${name} `)
  const group = await run(['chains', '--help'])
  expect(group).toMatchObject({ code: 0, stdout: expect.stringContaining('chains diff') })
  expect(group.stdout).not.toContain('events tail')
})

test.each(COMMANDS)('%s --help says how to use it and what its exit codes are', async (name) => {
  const { code, stdout } = await run([...name.split(' '), '--help'])
  expect(code).toBe(0)
  expect(stdout).toContain(`Usage: signalbox ${name} `)
  expect(stdout).toContain('SIGNALBOX_API_KEY')
  expect(stdout).toContain('Exit codes: 0')
})

test('what is no command ends with 2 and its name', async () => {
  expect(await run(['juggle'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('there is no command "juggle"'),
  })
  expect(await run(['events', 'juggle'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('there is no command "events juggle"'),
  })
})

test('an option that does not exist ends with 2, with --json as JSON', async () => {
  const { code, stderr } = await run(['listener-list', '--jsn'])
  expect(code).toBe(2)
  expect(stderr).toContain("Unknown option '--jsn'")
  expect(stderr).toContain('signalbox listener-list --help says what there is.')
  const asJson = await run(['listener-list', '--json', '--jsn'])
  expect(JSON.parse(asJson.stderr)).toMatchObject({
    exit_code: 2,
    error: { message: expect.stringContaining("Unknown option '--jsn'") },
  })
})

test('an argument too many is not repeated: it may be a secret', async () => {
  const { code, stderr } = await run(['listen', 'http://127.0.0.1:1', 'whsec_abc'])
  expect(code).toBe(2)
  expect(stderr).toContain('2 arguments stand beside the options; expected is the URL')
  expect(stderr).not.toContain('whsec_abc')
})
