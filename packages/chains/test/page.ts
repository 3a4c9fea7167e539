/** A page of docs/, and the examples in it that tests take from it. */
import { readFileSync } from 'node:fs'

export function pageOf(name: string) {
  const page = readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8')
  return {
    page,
    /** What follows `<!-- page-test: … -->`. */
    example(of: string): unknown {
      const [, text] =
        new RegExp(`<!-- page-test: ${of} -->\n+\`\`\`json\n([^]*?)\n\`\`\``).exec(page) ?? []
      return JSON.parse(text ?? 'null')
    },
  }
}
