import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { derivedUuid, firedIdOf, invocationIdOf, runIdOf, uuidv7 } from '../src/index.ts'

const shape = (version: number) =>
  new RegExp(`^[0-9a-f]{8}-[0-9a-f]{4}-${version}[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

describe('a new identity', () => {
  test('is a UUID v7 that begins with the time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (nowMs) => {
        const id = uuidv7(nowMs)
        expect(id).toMatch(shape(7))
        expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(nowMs)
      }),
    )
  })

  test('is another one each time, and later ones sort behind', () => {
    const ids = Array.from({ length: 1_000 }, () => uuidv7(1_769_851_800_000))
    expect(new Set(ids).size).toBe(1_000)
    expect(uuidv7(1_769_851_800_001) > ids.toSorted().at(-1)!).toBe(true)
  })
})

describe('a derived identity', () => {
  test('is a UUID v8, the same for the same parts and another for others', () => {
    expect(derivedUuid('run', 'acme', 'e1', 'c1')).toMatch(shape(8))
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(fc.string()), (a, b) => {
        const same = JSON.stringify(a) === JSON.stringify(b)
        expect(derivedUuid(...a) === derivedUuid(...b)).toBe(same)
      }),
    )
  })

  test('keeps parts apart: two accounts and one event do not meet', () => {
    expect(runIdOf('a', 'b', 'c')).not.toBe(runIdOf('a', 'bc', ''))
    expect(runIdOf('acme', 'e1', 'c1')).not.toBe(runIdOf('other', 'e1', 'c1'))
    expect(runIdOf('acme', 'e1', 'c1')).not.toBe(invocationIdOf('acme', 'e1'))
    expect(firedIdOf('i1', 'event', 0)).not.toBe(firedIdOf('i1', 'command', 0))
    expect(firedIdOf('i1', 'event', 0)).not.toBe(firedIdOf('i1', 'event', 1))
  })

  test('stays what it was, because runs under way carry it across versions', () => {
    expect(runIdOf('acme', 'e1', 'c1')).toBe('1b7302f5-91f0-8d98-bb74-b1f9b23d240b')
  })
})
