/** Text of strangers for a terminal: what would move its cursor, change its state or turn its line round is shown as an escape. */

/** Controls of ASCII and Latin-1, line separators, and marks that change the direction of what follows. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/gu

/** A single line of text. */
export function printable(line: string): string {
  return line.replaceAll(
    UNPRINTABLE,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  )
}

/** Cut to so many characters, which says so. */
export function shortened(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : `${text.slice(0, maxChars - 1).trimEnd()}…`
}
