/** `signalbox chains apply`: the account gets the chains of files. */
import { chainWarningSchema } from '@signalbox/contracts'
import { z } from 'zod'
import { type Api, understood } from '../api/api.ts'
import { apiCommand } from '../api-command.ts'
import { EXIT } from '../exit-codes.ts'
import { RefusedError } from '../failure.ts'
import { readChains } from './chain-files.ts'
import { chainPath, type PlannedChain, planChains } from './chain-plan.ts'

export const CHAIN_FILE_OPTIONS = {
  file: { type: 'string', short: 'f', multiple: true, default: [] as string[] },
} as const

export const chainFileShape = {
  file: z.array(z.string().min(1)).min(1, 'is needed: the file with the chains, or - for stdin'),
}

export const CHAIN_FILE_USAGE = `  -f, --file <file>       repeatable: a chain, an array of them, or several YAML documents, as JSON or YAML; - is stdin.
                          A chain has its chain_id, or the name of the file when it is alone in there`

const USAGE = `Usage: signalbox chains apply -f <file> [options]

Creates the chains of files (docs/chains.md), replaces those that differ, and leaves alone those that are the same. Chains that
no file names stay as they are. All are checked before the first is sent.

${CHAIN_FILE_USAGE}
  --strict                refuse a chain that may close a loop, instead of warning of it
  --dry-run               say what would be done, and do nothing; whether a chain closes a loop is not known then`

const NOTES = `Exit codes: 0 all are as the files say, 2 the command line or a file is wrong and nothing was sent, 3 refused, 4 cannot be reached;
after 3 and 4 those that were told are done, and the same again does the rest.`

export const chainsApply = apiCommand({
  name: 'chains apply',
  usage: USAGE,
  notes: NOTES,
  options: {
    ...CHAIN_FILE_OPTIONS,
    strict: { type: 'boolean', default: false },
    'dry-run': { type: 'boolean', default: false },
  },
  schema: z.object({ ...chainFileShape, strict: z.boolean(), 'dry-run': z.boolean() }),
  async run({ values, api, output, deps }) {
    const isDryRun = values['dry-run']
    for (const planned of await planChains(await readChains(values.file, deps), api)) {
      const { chainId, change } = planned
      const isDone = change === 'unchanged' || isDryRun
      const saved = isDone ? {} : await put(planned, { api, isStrict: values.strict })
      const { version, warnings = [] } = saved
      const wouldBe = isDryRun && change !== 'unchanged' ? 'would be ' : ''
      const text = `${wouldBe}${change}  ${chainId}${version === undefined ? '' : ` (version ${version})`}`
      output.print(
        { chain_id: chainId, change, ...saved, ...(isDryRun ? { dry_run: true } : {}) },
        [text, ...warnings.map(({ message }) => `  warning: ${message}`)].join('\n'),
      )
    }
    return EXIT.done
  },
})

const savedSchema = z.looseObject({
  version: z.int(),
  warnings: z.array(chainWarningSchema.loose()).optional(),
})

async function put(
  { chainId, chain }: PlannedChain,
  { api, isStrict }: { api: Pick<Api, 'send'>; isStrict: boolean },
): Promise<Partial<Pick<z.infer<typeof savedSchema>, 'version' | 'warnings'>>> {
  try {
    const answer = await api.send({
      path: chainPath(chainId),
      method: 'PUT',
      body: chain,
      ...(isStrict ? { query: { strict: 'true' } } : {}),
    })
    const { version, warnings } = understood(savedSchema, answer, `the chain "${chainId}"`)
    return { version, ...(warnings === undefined ? {} : { warnings }) }
  } catch (error) {
    if (error instanceof RefusedError) throw new RefusedError(error.problem, `chain "${chainId}"`)
    throw error
  }
}
