/** The last lines of a process's output. */

const MAX_LINES = 200
const MAX_LINE_CHARACTERS = 2_000

export type LineTail = ReturnType<typeof createLineTail>

/** Keeps at most 200 lines of at most 2,000 characters. `push` takes chunks as they come, cut anywhere: of two outputs of one process, whose lines may mix. */
export function createLineTail() {
  const lines: string[] = []
  const decoder = new TextDecoder()
  let unfinished = ''
  return {
    push: (chunk: Uint8Array): void => {
      const parts = (unfinished + decoder.decode(chunk, { stream: true })).split('\n')
      unfinished = (parts.pop() ?? '').slice(-MAX_LINE_CHARACTERS)
      lines.push(...parts.map((line) => line.slice(0, MAX_LINE_CHARACTERS)))
      lines.splice(0, lines.length - MAX_LINES)
    },
    text: (): string => [...lines, unfinished].join('\n').trim(),
  }
}
