/** What a command prints: lines for people, or one JSON object per line; remarks go to stderr, so that stdout can be piped. */
import { printable } from './printable.ts'

export interface Output {
  readonly isJson: boolean
  /** One thing: as JSON, or as the text, whose lines are made safe for a terminal. */
  print(value: object, text: string): void
  /** A line for people, which `style` may colour; nothing with `--json`. */
  line(text: string, style?: Style): void
  /** To stderr, in either form. */
  note(text: string): void
}

export type Style = 'added' | 'removed' | 'place' | 'heading'

export interface OutputDeps {
  stdout: { write(text: string): unknown; isTTY?: boolean }
  stderr: { write(text: string): unknown }
  env: Readonly<Record<string, string | undefined>>
}

const SGR: Readonly<Record<Style, string>> = {
  added: '32',
  removed: '31',
  place: '36',
  heading: '1',
}

export function createOutput(isJson: boolean, { stdout, stderr, env }: OutputDeps): Output {
  const isColoured = stdout.isTTY === true && !env.NO_COLOR

  function line(text: string, style?: Style): void {
    if (isJson) return
    const safe = printable(text)
    const isStyled = isColoured && style !== undefined
    stdout.write(isStyled ? `\u001b[${SGR[style]}m${safe}\u001b[0m\n` : `${safe}\n`)
  }

  return {
    isJson,
    line,
    print(value, text) {
      if (isJson) stdout.write(`${JSON.stringify(value)}\n`)
      else for (const each of text.split('\n')) line(each)
    },
    note: (text) => void stderr.write(`${text.split('\n').map(printable).join('\n')}\n`),
  }
}
