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

  it('gather while two commands of their account are unanswered, unless there are enough for a full one', async () => {
    const commands: { accountKey: string; count: number; answer(): void }[] = []
    const call = gathered<number, number>(async (accountKey, calls) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      commands.push({ accountKey, count: calls.length, answer: resolve })
      await promise
      return calls
    })
    const sent = (of: string) =>
      commands.filter(({ accountKey }) => accountKey === of).map(({ count }) => count)
    for (let count = 0; count < 5; count += 1) {
      void call('a', count)
      await turn()
    }
    void call('b', 0)
    await turn()
    expect(sent('a')).toEqual([1, 1])
    expect(sent('b')).toEqual([1])
    commands[0]!.answer()
    await turn()
    expect(sent('a')).toEqual([1, 1, 3])
    for (let count = 0; count < 70; count += 1) void call('a', count)
    await turn()
    expect(sent('a')).toEqual([1, 1, 3, 64])
    for (const { answer } of commands) answer()
    await turn()
    expect(sent('a')).toEqual([1, 1, 3, 64, 6])
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
