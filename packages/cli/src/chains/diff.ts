/** `signalbox chains diff`: what applying files would change. */
import { z } from 'zod'
import { apiCommand } from '../api-command.ts'
import { EXIT } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { CHAIN_FILE_OPTIONS, CHAIN_FILE_USAGE, chainFileShape } from './apply.ts'
import { readChains } from './chain-files.ts'
import { type PlannedChain, planChains } from './chain-plan.ts'
import { chainText } from './chain-text.ts'
import { lineDiff } from './line-diff.ts'

const USAGE = `Usage: signalbox chains diff -f <file> [options]

Shows what "chains apply" with the same files would change, as a diff of YAML with all defaults written out. It changes nothing.

${CHAIN_FILE_USAGE}`

const NOTES = `Exit codes: 0 nothing would change, 1 something would, 2 the command line or a file is wrong, 3 refused, 4 cannot be reached.`

export const chainsDiff = apiCommand({
  name: 'chains diff',
  usage: USAGE,
  notes: NOTES,
  options: CHAIN_FILE_OPTIONS,
  schema: z.object(chainFileShape),
  async run({ values, api, output, deps }) {
    const planned = await planChains(await readChains(values.file, deps), api)
    for (const one of planned) show(one, output)
    return planned.every(({ change }) => change === 'unchanged') ? EXIT.done : EXIT.failed
  },
})

function show({ chainId, where, change, before, chain }: PlannedChain, output: Output): void {
  if (output.isJson) {
    const sides = change === 'unchanged' ? {} : { before: before ?? null, after: chain }
    output.print({ chain_id: chainId, change, ...sides }, '')
    return
  }
  if (change === 'unchanged') return
  output.line(`--- ${before === undefined ? 'none' : chainId}`, 'heading')
  output.line(`+++ ${where}`, 'heading')
  const text = before === undefined ? '' : chainText(before)
  for (const line of lineDiff(text, chainText(chain))) {
    output.line(line.text, line.kind === 'same' ? undefined : line.kind)
  }
}
