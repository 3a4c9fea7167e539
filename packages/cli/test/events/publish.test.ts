import { expect, test } from 'vitest'
import { problem, type Received, run, serve } from '../bed.ts'

const ONE = ['--conversation', 'c', '--conversation-type', 'poll', '--event-type', 'answered']
const AWAY = problem(503, 'SB_BROKER_UNAVAILABLE', { detail: 'RabbitMQ is away' })

const idsIn = ({ body }: Received) =>
  [JSON.parse(body) as { event_id: string } | { event_id: string }[]]
    .flat()
    .map(({ event_id }) => event_id)
const confirmed = (request: Received) => ({ status: 202, body: { event_ids: idsIn(request) } })

test('what was not confirmed is sent again as the same event', async () => {
  let calls = 0
  await using server = await serve((request) => (calls++ < 2 ? AWAY : confirmed(request)))
  const env = { SIGNALBOX_API_URL: server.url }
  const { code, stdout, stderr } = await run(['events', 'publish', ...ONE], { env })
  expect(code).toBe(0)
  const ids = server.received.flatMap(idsIn)
  expect(ids).toHaveLength(3)
  expect(new Set(ids)).toEqual(new Set([stdout.trim()]))
  expect(stderr).toContain('RabbitMQ is away (SB_BROKER_UNAVAILABLE, 503); trying again')
})

test('after --wait it ends with 4; a refusal is final at once', async () => {
  await using away = await serve(() => AWAY)
  const env = { SIGNALBOX_API_URL: away.url }
  expect(await run(['events', 'publish', ...ONE, '--wait', '0s'], { env })).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('RabbitMQ is away'),
  })
  await using refusing = await serve(() => problem(413, 'SB_TOO_LARGE', { detail: 'too large' }))
  const refused = await run(['events', 'publish', ...ONE], {
    env: { SIGNALBOX_API_URL: refusing.url },
  })
  expect(refused.code).toBe(3)
  expect(refusing.received).toHaveLength(1)
})

test('more events than a request may have go in several, in order, and it says how many went', async () => {
  await using server = await serve((request) =>
    request.body.includes('"n":2000') ? problem(413, 'SB_TOO_LARGE') : confirmed(request),
  )
  const stdin = Array.from({ length: 2_001 }, (_, n) =>
    JSON.stringify({
      conversation_key: 'c',
      conversation_type: 'poll',
      event_type: 'answered',
      event_data: { n },
    }),
  ).join('\n')
  const options = { env: { SIGNALBOX_API_URL: server.url }, stdin }
  const { code, stdout, stderr } = await run(['events', 'publish', '-f', '-'], options)
  expect(code).toBe(3)
  expect(server.received.map((request) => idsIn(request).length)).toEqual([1_000, 1_000, 1])
  expect(stdout.trim().split('\n')).toEqual(server.received.slice(0, 2).flatMap(idsIn))
  expect(stderr).toContain('2000 of 2001 events published')
})

test.each<[string[], RegExp]>([
  [ONE.slice(2), /^--conversation is needed, or --file$/m],
  [[...ONE, '--data', '[1]'], /^--data must be a JSON object/m],
  [[...ONE, '--wait', '1h'], /^--wait must be a duration/m],
  [[...ONE, '-f', 'x.json'], /^--conversation does not go with --file$/m],
  [[...ONE, '--timestamp', 'now'], /^--timestamp must be an RFC 3339/m],
])('%j is refused before anything is sent', async (args, message) => {
  const { code, stderr } = await run(['events', 'publish', ...args])
  expect(code).toBe(2)
  expect(stderr).toMatch(message)
})
