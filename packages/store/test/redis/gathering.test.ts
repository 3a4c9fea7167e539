import { describe, expect, it } from 'vitest'
import { gathered } from '../../src/redis/gathering.ts'

function recorded() {
  const commands: { accountKey: string; calls: readonly number[] }[] = []
  const double = gathered<number, number>(async (accountKey, calls) => {
    commands.push({ accountKey, calls })
    if (calls.includes(13)) throw new Error('unlucky')
    return calls.map((call) => 2 * call)
  })
  return { commands, double }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('gathered calls', () => {
  it('make one command of the calls of a turn for one account, and answer each', async () => {
    const { commands, double } = recorded()
    const replies = [double('a', 1), double('b', 2), double('a', 3)]
    expect(commands).toEqual([])
    expect(await Promise.all(replies)).toEqual([2, 4, 6])
    expect(commands).toEqual([
      { accountKey: 'a', calls: [1, 3] },
      { accountKey: 'b', calls: [2] },
    ])
    expect(await double('a', 4)).toBe(8)
    expect(commands).toHaveLength(3)
  })

  it('make commands of at most 64 calls', async () => {
    const { commands, double } = recorded()
    for (let call = 100; call < 230; call += 1) void double('a', call)
    await turn()
    expect(commands.map(({ calls }) => calls.length)).toEqual([64, 64, 2])
  })

  it('fail together, and no other account with them', async () => {
    const { double } = recorded()
    const outcomes = await Promise.allSettled([double('a', 13), double('a', 1), double('b', 1)])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled'])
  })
})
