/** A difference of texts as `diff -u` shows it: what was taken away and added, with three lines around. */
import { diff } from 'node:util'

const CONTEXT_LINES = 3

export interface DiffLine {
  kind: 'place' | 'same' | 'removed' | 'added'
  text: string
}

/** Empty when there is none. */
export function lineDiff(before: string, after: string): DiffLine[] {
  const [old, next] = [linesOf(before), linesOf(after)]
  // n.b. of nothing and nothing Node gives no list.
  if (old.length + next.length === 0) return []
  const lines = diff(old, next).map(([operation, text]): DiffLine => {
    if (operation === 0) return { kind: 'same', text: ` ${text}` }
    // n.b. Node calls the first text the actual one: what is in it alone is "inserted".
    return operation > 0
      ? { kind: 'removed', text: `-${text}` }
      : { kind: 'added', text: `+${text}` }
  })
  return hunksOf(lines)
}

function linesOf(text: string): string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

function hunksOf(lines: readonly DiffLine[]): DiffLine[] {
  const changes = lines.flatMap(({ kind }, index) => (kind === 'same' ? [] : [index]))
  const shown: DiffLine[] = []
  let place = { old: 1, new: 1 }
  let next = 0
  for (let index = 0; index < changes.length; ) {
    const start = Math.max(next, changes[index]! - CONTEXT_LINES)
    let last = changes[index]!
    while (index < changes.length && changes[index]! <= last + 2 * CONTEXT_LINES + 1) {
      last = changes[index]!
      index += 1
    }
    const end = Math.min(lines.length, last + CONTEXT_LINES + 1)
    place = passed(place, lines.slice(next, start))
    const hunk = lines.slice(start, end)
    const after = passed(place, hunk)
    const range = (from: number, to: number) => `${to === from ? from - 1 : from},${to - from}`
    const text = `@@ -${range(place.old, after.old)} +${range(place.new, after.new)} @@`
    shown.push({ kind: 'place', text }, ...hunk)
    place = after
    next = end
  }
  return shown
}

function passed(place: { old: number; new: number }, lines: readonly DiffLine[]) {
  const count = (kind: DiffLine['kind']) => lines.filter((line) => line.kind === kind).length
  const same = count('same')
  return { old: place.old + same + count('removed'), new: place.new + same + count('added') }
}
