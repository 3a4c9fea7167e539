import { createMemoryStore, type ProgressStore } from '@signalbox/store'
import { beforeEach, describe, expect, it } from 'vitest'
import { effectivelyOnce, type Performed } from '../src/effectively-once.ts'

let progress: ProgressStore
let paused: number
let performed: { plan: string; repeat: boolean }[]
beforeEach(() => {
  progress = createMemoryStore().progress
  paused = 0
  performed = []
})

/** Comes with its plan; `whilePaused` is what happens elsewhere while it waits. */
const comes = (
  plan: string,
  { isRepeated = false, whilePaused = async () => {}, foregone }: Partial<Circumstances> = {},
) =>
  effectivelyOnce(
    { accountKey: 'acme', eventId: 'e', name: 'work', plan, foregone, isRepeated },
    async (chosen, { repeat }) => {
      performed.push({ plan: chosen, repeat })
      return { outcome: `outcome of ${chosen}`, facts: [] }
    },
    {
      progress,
      pause: async (delayMs) => {
        paused += delayMs
        await whilePaused()
      },
    },
  )

interface Circumstances {
  isRepeated: boolean
  whilePaused: () => Promise<void>
  foregone: Performed
}

describe('work that is to be done effectively once', () => {
  it('is performed the first time, and a duplicate after that', async () => {
    expect(await comes('a')).toBe('performed')
    expect(await comes('b')).toBe('duplicate')
    expect(await comes('c', { isRepeated: true })).toBe('duplicate')
    expect(performed).toEqual([{ plan: 'a', repeat: false }])
    expect(await progress.outcome('acme', 'e', 'work')).toBe('outcome of a')
  })

  it('is performed again at once, by its first plan, when the same message comes again half-way', async () => {
    await progress.begin('acme', 'e', 'work', 'first')
    expect(await comes('second', { isRepeated: true })).toBe('performed')
    expect(performed).toEqual([{ plan: 'first', repeat: true }])
    expect(paused).toBe(0)
  })

  it('waits for whoever is at it when another message about it comes', async () => {
    await progress.begin('acme', 'e', 'work', 'first')
    const whilePaused = () => progress.finish('acme', 'e', 'work', null)
    expect(await comes('second', { whilePaused })).toBe('duplicate')
    expect(performed).toEqual([])
  })

  it('takes whoever does not come to an end in 15 seconds for dead', async () => {
    await progress.begin('acme', 'e', 'work', 'first')
    expect(await comes('second')).toBe('performed')
    expect(paused).toBe(15_000)
    expect(performed).toEqual([{ plan: 'first', repeat: true }])
  })

  it('says that it may have been done when its message came before and nothing is known of it', async () => {
    expect(await comes('a', { isRepeated: true })).toBe('performed')
    expect(performed).toEqual([{ plan: 'a', repeat: true }])
  })

  it('is begun and done in one step when there is nothing to perform for it', async () => {
    const foregone = { outcome: 'nothing', facts: [] }
    expect(await comes('a', { foregone })).toBe('foregone')
    expect(await comes('b', { foregone })).toBe('duplicate')
    expect(await comes('c')).toBe('duplicate')
    expect(performed).toEqual([])
    expect(await progress.outcome('acme', 'e', 'work')).toBe('nothing')
  })

  it('waits for whoever is at it also when there is nothing to perform for it', async () => {
    await progress.begin('acme', 'e', 'work', 'first')
    const whilePaused = () => progress.finish('acme', 'e', 'work', null)
    const foregone = { outcome: 'nothing', facts: [] }
    expect(await comes('second', { foregone, whilePaused })).toBe('duplicate')
    expect(paused).toBe(50)
  })

  it('is not done when performing it fails', async () => {
    const failing = effectivelyOnce(
      { accountKey: 'acme', eventId: 'e', name: 'work', plan: 'a', isRepeated: false },
      () => Promise.reject(new Error('away')),
      { progress, pause: async () => {} },
    )
    await expect(failing).rejects.toThrow('away')
    expect(await comes('b', { isRepeated: true })).toBe('performed')
  })
})
