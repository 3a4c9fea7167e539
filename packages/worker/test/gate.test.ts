import { expect, test } from 'vitest'
import { createGate } from '../src/gate.ts'

test('lets at most so many in, and the others in their order, also when some fail', async () => {
  const gate = createGate(2)
  const started: number[] = []
  let inside = 0
  let most = 0
  const work = (index: number) => async () => {
    started.push(index)
    inside += 1
    most = Math.max(most, inside)
    await Promise.resolve()
    inside -= 1
    if (index % 3 === 0) throw new Error(`no ${index}`)
    return index
  }
  const outcomes = await Promise.allSettled(
    Array.from({ length: 9 }, (_, index) => gate(work(index))),
  )
  expect(most).toBe(2)
  expect(started).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([
    false,
    true,
    true,
    false,
    true,
    true,
    false,
    true,
    true,
  ])
})
