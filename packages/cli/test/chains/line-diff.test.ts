import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type DiffLine, lineDiff } from '../../src/chains/line-diff.ts'

const textOf = (lines: readonly DiffLine[]) => lines.map(({ text }) => text).join('\n')

test('it reads as diff -u does', () => {
  const before = 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n'
  const after = 'a\nb\nc\nD\ne\nf\ng\nh\ni\nj\nl\nm\n'
  expect(textOf(lineDiff(before, after))).toBe(
    [
      '@@ -1,12 +1,12 @@',
      ...[' a', ' b', ' c', '-d', '+D', ' e', ' f', ' g', ' h', ' i', ' j', '-k', ' l', '+m'],
    ].join('\n'),
  )
})

test('changes that are far apart have places of their own', () => {
  const lines = Array.from({ length: 20 }, (_, index) => `${index}`)
  const changed = lines.with(1, 'x').with(18, 'y')
  const places = lineDiff(lines.join('\n'), changed.join('\n')).filter(
    ({ kind }) => kind === 'place',
  )
  expect(textOf(places)).toBe('@@ -1,5 +1,5 @@\n@@ -16,5 +16,5 @@')
})

test('from nothing everything is added', () => {
  expect(textOf(lineDiff('', 'a\nb\n'))).toBe('@@ -0,0 +1,2 @@\n+a\n+b')
})

test.each(['', '\n', 'a\nb\n'])('%j is no different from itself', (text) => {
  expect(lineDiff(text, text)).toEqual([])
})

test('what it shows makes the one out of the other', () => {
  const texts = fc
    .array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 40 })
    .map((lines) => lines.join('\n'))
  fc.assert(
    fc.property(texts, texts, (before, after) => {
      expect(patched(before, lineDiff(before, after))).toEqual(
        after === '' ? [] : after.split('\n'),
      )
    }),
  )
})

/** As `patch` would. */
function patched(before: string, lines: readonly DiffLine[]): string[] {
  const old = before === '' ? [] : before.split('\n')
  const made: string[] = []
  let at = 0
  for (const { kind, text } of lines) {
    if (kind === 'place') {
      const [, from, count] = /^@@ -(\d+),(\d+) /.exec(text)!
      const start = Number(count) === 0 ? Number(from) : Number(from) - 1
      made.push(...old.slice(at, start))
      at = start
    } else if (kind === 'added') {
      made.push(text.slice(1))
    } else {
      expect(text.slice(1)).toBe(old[at])
      if (kind === 'same') made.push(text.slice(1))
      at += 1
    }
  }
  return [...made, ...old.slice(at)]
}
