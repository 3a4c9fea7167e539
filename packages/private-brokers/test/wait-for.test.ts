import { expect, test } from 'vitest'
import { waitFor } from '../src/wait-for.ts'

test('the first truthy value is what it resolves with', async () => {
  const values = [undefined, 0, '', 'there']
  await expect(waitFor(() => values.shift(), { what: 'a value', intervalMs: 1 })).resolves.toBe(
    'there',
  )
})

test('a condition that is never met fails with the time and what was waited for', async () => {
  await expect(
    waitFor(() => false, { what: 'the moon to set', timeoutMs: 20, intervalMs: 1 }),
  ).rejects.toThrow('waited 20 ms for the moon to set')
})

test('a condition that throws is not met yet, and its last error is the cause of the failure', async () => {
  const refused = new Error('connection refused')
  await expect(
    waitFor(() => Promise.reject(refused), { what: 'an answer', timeoutMs: 20, intervalMs: 1 }),
  ).rejects.toMatchObject({
    message: 'waited 20 ms for an answer: connection refused',
    cause: refused,
  })
})

test('an error that was followed by a plain no is not the cause', async () => {
  let calls = 0
  const condition = () => {
    if (calls++ === 0) throw new Error('early')
    return false
  }
  await expect(waitFor(condition, { what: 'a yes', timeoutMs: 30, intervalMs: 1 })).rejects.toThrow(
    /^waited 30 ms for a yes$/,
  )
})

test('a condition that hangs is given up at the deadline', async () => {
  await expect(
    waitFor(() => new Promise<boolean>(() => undefined), { what: 'a reply', timeoutMs: 20 }),
  ).rejects.toThrow('waited 20 ms for a reply')
})
