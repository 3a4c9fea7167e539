/** The options of `signalbox conformance edge`. */
import { parseArgs } from 'node:util'
import type { EdgeConformanceOptions } from '@signalbox/conformance'
import { nameSchema } from '@signalbox/contracts'
import { fieldErrorsOf } from '@signalbox/kit'
import { z } from 'zod'
import { UsageError } from '../usage-error.ts'
import { timeoutSchema } from './timeout.ts'

export const EDGE_USAGE = `Or: signalbox conformance edge --url <url> [options]

Checks an edge against its protocol (docs/websocket-protocol.md), as a client would see it. What it publishes is about persons and
conversations of its own names, whose states the edge keeps for a while.

  --url <url>             the edge, ws:// or wss://, without /v1/socket
  --api-url <url>         makes the tokens and publishes; without it the rules that need that are skipped
  --api-key <key>         or SIGNALBOX_ADMIN_KEY; one that may manage and publish
  --account <key>         default demo
  --token <token>         of a person, where there is no API; or SIGNALBOX_TOKEN
  --timeout <time>        how long the edge may take for each answer and frame, 100ms to 5m (default 10s)
  --json                  one JSON object per rule and line
  --help`

const schema = z
  .object({
    url: z.url({ protocol: /^wss?$/, error: 'must be a ws:// or wss:// URL' }),
    'api-url': z
      .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
      .optional(),
    'api-key': z.string().min(1).optional(),
    account: nameSchema,
    token: z.string().min(1).optional(),
    timeout: timeoutSchema,
    json: z.boolean(),
  })
  .superRefine((options, context) => {
    const need = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    if (options['api-url'] === undefined && options.token === undefined) {
      need('token', 'or --api-url is needed')
    }
    if (options['api-url'] !== undefined && options['api-key'] === undefined) {
      need('api-key', 'is needed with --api-url')
    }
  })

/** Undefined: help was asked for. Throws `UsageError`. */
export function edgePlanOf(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): { edge: EdgeConformanceOptions; asJson: boolean } | undefined {
  const values = parsed(args)
  if (values.help) return undefined
  const outcome = schema.safeParse({
    'api-key': env.SIGNALBOX_ADMIN_KEY,
    token: env.SIGNALBOX_TOKEN,
    ...values,
  })
  if (!outcome.success) {
    const [fault] = fieldErrorsOf(outcome.error)
    throw new UsageError(`--${fault?.path} ${fault?.message}`)
  }
  const { url, account, token, timeout, json, 'api-url': apiUrl, 'api-key': key } = outcome.data
  return {
    edge: {
      url,
      token,
      api: apiUrl === undefined || key === undefined ? undefined : { url: apiUrl, key },
      accountKey: account,
      timeoutMs: timeout,
    },
    asJson: json,
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        url: { type: 'string' },
        'api-url': { type: 'string' },
        'api-key': { type: 'string' },
        account: { type: 'string', default: 'demo' },
        token: { type: 'string' },
        timeout: { type: 'string', default: '10s' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}
