/**
 * Finds the expressions in a text: `Thank you, ${{ event.event_data.name }}!`.
 *
 * `$${{` stands for a literal `${{`. The end of an expression is the first `}}` outside its strings, comments and braces, so
 * `${{ {"a": {"b": 1}}.a.b }}` is one expression.
 */
import { Fault } from './fault.ts'

export type Part = { literal: string } | { expression: string }

const OPENING = '${{'

/** Literals are never empty and never neighbours. Throws a `Fault` when an expression is not closed. */
export function partsOf(text: string): Part[] {
  const parts: Part[] = []
  let literal = ''
  let from = 0
  while (true) {
    const opening = text.indexOf(OPENING, from)
    if (opening < 0) break
    const isEscaped = opening > from && text[opening - 1] === '$'
    if (isEscaped) {
      literal += text.slice(from, opening - 1) + OPENING
      from = opening + OPENING.length
      continue
    }
    literal += text.slice(from, opening)
    if (literal !== '') parts.push({ literal })
    literal = ''
    const closing = closingOf(text, opening + OPENING.length)
    if (closing === undefined) {
      throw new Fault(`"${OPENING}" is not closed by "}}"`, { position: opening })
    }
    parts.push({ expression: text.slice(opening + OPENING.length, closing).trim() })
    from = closing + 2
  }
  literal += text.slice(from)
  if (literal !== '') parts.push({ literal })
  return parts
}

function closingOf(text: string, from: number): number | undefined {
  let depth = 0
  let position = from
  while (position < text.length) {
    const char = text[position]
    if (char === '"' || char === "'") {
      position = afterString(text, position, char)
      continue
    }
    if (char === '/' && text[position + 1] === '/') {
      const lineEnd = text.indexOf('\n', position)
      if (lineEnd < 0) return undefined
      position = lineEnd
    } else if (char === '{') {
      depth += 1
    } else if (char === '}' && depth > 0) {
      depth -= 1
    } else if (char === '}' && text[position + 1] === '}') {
      return position
    }
    position += 1
  }
  return undefined
}

/** n.b. a backslash hides the next character in raw strings, too: so the library reads them. */
function afterString(text: string, from: number, quote: string): number {
  const triple = quote.repeat(3)
  const delimiter = text.startsWith(triple, from) ? triple : quote
  let position = from + delimiter.length
  while (position < text.length && !text.startsWith(delimiter, position)) {
    position += text[position] === '\\' ? 2 : 1
  }
  return position + delimiter.length
}
