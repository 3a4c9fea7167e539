/** What the commands that talk to the API have in common: options, connection, output, and how failures are told. */
import type { Readable } from 'node:stream'
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { fieldErrorsOf } from '@signalbox/kit'
import type { z } from 'zod'
import { type Api, createApi } from './api/api.ts'
import {
  CONNECTION_OPTIONS,
  CONNECTION_USAGE,
  type Connection,
  connectionOf,
  EDGE_OPTIONS,
  EDGE_USAGE,
} from './connection.ts'
import { EXIT } from './exit-codes.ts'
import { tellFailure } from './failure.ts'
import { createOutput, type Output } from './output.ts'
import { UsageError } from './usage-error.ts'

export interface CommandDeps {
  env: Readonly<Record<string, string | undefined>>
  stdin: Readable
  stdout: { write(text: string): unknown; isTTY?: boolean }
  stderr: { write(text: string): unknown; isTTY?: boolean }
  /** Ctrl-C. */
  signal: AbortSignal
}

/** Resolves with the exit code. */
export type Command = (args: readonly string[], deps: CommandDeps) => Promise<number>

export interface CommandContext<Values> {
  values: Values
  positionals: readonly string[]
  connection: Connection
  api: Api
  output: Output
  deps: CommandDeps
}

export interface ApiCommandDefinition<Schema extends z.ZodType> {
  /** `chains apply`. */
  name: string
  /** What `--help` says, up to the options that all commands have. */
  usage: string
  /** What follows them; default nothing. */
  notes?: string
  options: ParseArgsOptionsConfig
  /** Of the options' values; what it refuses is told as `--option message`. */
  schema: Schema
  /** What stands beside the options, in words, and how many of it there may be. */
  positionals?: { what: string; min: number; max: number }
  usesEdge?: boolean
  run(context: CommandContext<z.output<Schema>>): Promise<number>
}

const COMMON_OPTIONS = {
  ...CONNECTION_OPTIONS,
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

export function apiCommand<Schema extends z.ZodType>(
  definition: ApiCommandDefinition<Schema>,
): Command {
  return async (args, deps) => {
    try {
      return await perform(definition, args, deps)
    } catch (error) {
      const asJson = args.includes('--json')
      return tellFailure(error, { command: definition.name, asJson, stderr: deps.stderr })
    }
  }
}

async function perform<Schema extends z.ZodType>(
  definition: ApiCommandDefinition<Schema>,
  args: readonly string[],
  deps: CommandDeps,
): Promise<number> {
  const { given, positionals } = parsed(definition, args)
  if (given.help === true) {
    deps.stdout.write(`${helpOf(definition)}\n`)
    return EXIT.done
  }
  const outcome = definition.schema.safeParse(given)
  if (!outcome.success) {
    const faults = fieldErrorsOf(outcome.error)
    throw new UsageError(faults.map(({ path, message }) => `--${path} ${message}`).join('\n'))
  }
  requireCount(positionals, definition.positionals)
  const connection = connectionOf(given, deps.env)
  const output = createOutput(given.json === true, deps)
  if (connection.usesDevelopmentKey) {
    output.note(
      `No key is given: using the development key of a standalone, account "${connection.accountKey}", at ${connection.apiUrl}`,
    )
  }
  const api = createApi(connection, deps)
  return definition.run({ values: outcome.data, positionals, connection, api, output, deps })
}

function parsed(
  { options, usesEdge }: Pick<ApiCommandDefinition<z.ZodType>, 'options' | 'usesEdge'>,
  args: readonly string[],
): { given: Readonly<Record<string, unknown>>; positionals: readonly string[] } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { ...options, ...COMMON_OPTIONS, ...(usesEdge ? EDGE_OPTIONS : {}) },
    })
    return { given: values, positionals }
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** n.b. what stands there is not repeated: it may be a secret whose option was forgotten. */
function requireCount(
  { length }: readonly string[],
  expected: ApiCommandDefinition<z.ZodType>['positionals'],
): void {
  const { what, min, max } = expected ?? { what: 'nothing', min: 0, max: 0 }
  if (length >= min && length <= max) return
  throw new UsageError(
    `${length} ${length === 1 ? 'argument stands' : 'arguments stand'} beside the options; expected is ${what}`,
  )
}

function helpOf({ usage, notes, usesEdge }: ApiCommandDefinition<z.ZodType>): string {
  const common = `${CONNECTION_USAGE}${usesEdge ? `\n${EDGE_USAGE}` : ''}
  --json                  one JSON object per line on stdout; a failure as JSON on stderr
  --help`
  return [usage, common, ...(notes === undefined ? [] : [notes])].join('\n\n')
}
