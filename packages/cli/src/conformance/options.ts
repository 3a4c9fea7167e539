/** The options of `signalbox conformance`: read and checked, with errors that name the option. */
import { parseArgs } from 'node:util'
import type { EdgeConformanceOptions, WorkerConformanceOptions } from '@signalbox/conformance'
import { type JsonObject, jsonObjectSchema, nameSchema } from '@signalbox/contracts'
import { fieldErrorsOf } from '@signalbox/kit'
import { z } from 'zod'
import { UsageError } from '../usage-error.ts'
import { EDGE_USAGE, edgePlanOf } from './edge-options.ts'
import { timeoutSchema } from './timeout.ts'

export const CONFORMANCE_USAGE = `Usage: signalbox conformance worker --handler <name> [options]

Checks a handler worker, in whatever language, against the wire contract (docs/handler-workers.md), as the dispatcher would
see it: over AMQP. It leaves behind what the worker rejects: use a vhost that nobody else works in.

  --handler <name>        the handler that the worker runs
  --config <json>         a config that the handler succeeds with (default {})
  --bad-config <json>     a config that it has to refuse
  --command "<command>"   starts the worker, one command without operators of the shell; else it runs already
  --amqp-url <url>        or AMQP_URL
  --management-url <url>  RabbitMQ's management API, with credentials: to see and cut the worker's connection
  --namespace <name>      or SIGNALBOX_NAMESPACE (default signalbox)
  --timeout <time>        how long the worker may take for each answer, 100ms to 5m (default 10s)
  --json                  one JSON object per rule and line
  --help

${EDGE_USAGE}

Exit codes: 0 no rule failed, 1 some did or the check could not be made, 2 the command line is wrong.`

const address = (schemes: RegExp, form: string) => z.url({ protocol: schemes, error: form })

const json = z.string().transform((text, context): JsonObject => {
  try {
    return jsonObjectSchema.parse(JSON.parse(text))
  } catch {
    context.addIssue('must be a JSON object')
    return z.NEVER
  }
})

const schema = z.object({
  handler: nameSchema,
  config: json.optional(),
  'bad-config': json.optional(),
  command: z.string().min(1).optional(),
  'amqp-url': address(/^amqps?$/, 'must be an amqp:// or amqps:// URL'),
  'management-url': address(/^https?$/, 'must be an http:// or https:// URL').optional(),
  namespace: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,32}$/, 'must be 1 to 32 characters of A-Z a-z 0-9 _ -'),
  timeout: timeoutSchema,
  json: z.boolean(),
})

export type ConformancePlan = { asJson: boolean } & (
  | { worker: WorkerConformanceOptions }
  | { edge: EdgeConformanceOptions }
)

/** Undefined: help was asked for. Throws `UsageError`. */
export function conformancePlanOf(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ConformancePlan | undefined {
  if (args[0] === 'edge') return edgePlanOf(args.slice(1), env)
  const { values, positionals } = parsed(args)
  if (values.help) return undefined
  if (positionals.join(' ') !== 'worker') {
    throw new UsageError('say what to check: worker, or edge')
  }
  const outcome = schema.safeParse({
    'amqp-url': env.AMQP_URL,
    namespace: env.SIGNALBOX_NAMESPACE ?? 'signalbox',
    ...values,
  })
  if (!outcome.success) {
    const [fault] = fieldErrorsOf(outcome.error)
    throw new UsageError(`--${fault?.path} ${fault?.message}`)
  }
  const { handler, config, command, namespace, timeout, json: asJson, ...urls } = outcome.data
  const environment = Object.entries(env).filter(([, value]) => value !== undefined)
  return {
    worker: {
      amqpUrl: urls['amqp-url'],
      managementUrl: urls['management-url'],
      handler,
      config,
      badConfig: urls['bad-config'],
      namespace,
      command:
        command === undefined
          ? undefined
          : { line: command, env: Object.fromEntries(environment) as Record<string, string> },
      timeoutMs: timeout,
    },
    asJson,
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        handler: { type: 'string' },
        config: { type: 'string' },
        'bad-config': { type: 'string' },
        command: { type: 'string' },
        'amqp-url': { type: 'string' },
        'management-url': { type: 'string' },
        namespace: { type: 'string' },
        timeout: { type: 'string', default: '10s' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}
