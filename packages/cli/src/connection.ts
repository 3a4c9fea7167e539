/**
 * Which Signalbox, which account, and with which key: flags, else the environment, else a standalone on this machine.
 *
 * | what     | when it is not given                                                                          |
 * | -------- | --------------------------------------------------------------------------------------------- |
 * | API      | `http://127.0.0.1:8080`                                                                       |
 * | edge     | `ws://127.0.0.1:8081` when the API is on this machine, else it has to be given                |
 * | key      | the development key of a standalone when the API is on this machine, else it has to be given  |
 * | account  | the one that the key is of; `demo` beside the development key; else it has to be given        |
 */
import { nameSchema } from '@signalbox/contracts'
import { z } from 'zod'
import { isLoopback } from './loopback.ts'
import { UsageError } from './usage-error.ts'

const LOCAL_API_URL = 'http://127.0.0.1:8080'
const LOCAL_EDGE_URL = 'ws://127.0.0.1:8081'
/** A standalone takes it on loopback addresses only, and says so at its start. */
const DEVELOPMENT_KEY = 'signalbox-dev'
const DEVELOPMENT_ACCOUNT = 'demo'

export const CONNECTION_OPTIONS = {
  'api-url': { type: 'string' },
  'api-key': { type: 'string' },
  account: { type: 'string' },
} as const
export const EDGE_OPTIONS = { 'edge-url': { type: 'string' } } as const

export const CONNECTION_USAGE = `Where, and as whom
  --api-url <url>         or SIGNALBOX_API_URL (default ${LOCAL_API_URL})
  --api-key <key>         or SIGNALBOX_API_KEY, which other users of the machine do not see; on this machine alone the default is
                          the development key of a standalone
  --account <key>         or SIGNALBOX_ACCOUNT; default: the account that the key is of, or ${DEVELOPMENT_ACCOUNT} with the development key`
export const EDGE_USAGE = `  --edge-url <url>        or SIGNALBOX_EDGE_URL (default ${LOCAL_EDGE_URL} when the API is on this machine)`

const addressSchema = (schemes: RegExp, form: string) =>
  z
    .string()
    .refine((text) => schemes.test(URL.parse(text)?.protocol ?? ''), `must be ${form}`)
    .refine((text) => {
      const url = URL.parse(text)
      return !url?.username && !url?.password && !url?.search && !url?.hash
    }, 'must have no credentials, query or fragment')
    .transform((text) => text.replace(/\/+$/, ''))

const schema = z.object({
  'api-url': addressSchema(/^https?:$/, 'an http:// or https:// URL').default(LOCAL_API_URL),
  'edge-url': addressSchema(/^wss?:$/, 'a ws:// or wss:// URL').optional(),
  // n.b. the fault does not repeat the key.
  'api-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,512}$/, 'must be 1 to 512 visible ASCII characters')
    .optional(),
  account: nameSchema.optional(),
})

export interface Connection {
  /** Without a slash at its end. */
  apiUrl: string
  apiKey: string
  accountKey: string
  /** Undefined: not given, and the API is elsewhere. */
  edgeUrl: string | undefined
  usesDevelopmentKey: boolean
}

type Texts = Readonly<Record<string, unknown>>

const VARIABLES = {
  'api-url': 'SIGNALBOX_API_URL',
  'edge-url': 'SIGNALBOX_EDGE_URL',
  'api-key': 'SIGNALBOX_API_KEY',
  account: 'SIGNALBOX_ACCOUNT',
} as const
type Option = keyof typeof VARIABLES
const OPTIONS = Object.keys(VARIABLES) as Option[]

/** Throws `UsageError` that names the flag or the variable, and no secret. */
export function connectionOf(
  flags: Texts,
  env: Readonly<Record<string, string | undefined>>,
): Connection {
  // n.b. an empty variable is one that is not set.
  const given = Object.fromEntries(
    OPTIONS.map((option) => [option, flags[option] ?? (env[VARIABLES[option]] || undefined)]),
  )
  const outcome = schema.safeParse(given)
  if (!outcome.success) {
    const [issue] = outcome.error.issues
    const option = String(issue?.path[0]) as Option
    const name = flags[option] === undefined ? VARIABLES[option] : `--${option}`
    throw new UsageError(`${name} ${issue?.message}`)
  }
  const { 'api-url': apiUrl, 'edge-url': edgeUrl, 'api-key': key, account } = outcome.data
  const isLocal = isLoopback(apiUrl)
  if (key === undefined && !isLocal) {
    throw new UsageError('--api-key or SIGNALBOX_API_KEY is needed for an API that is elsewhere')
  }
  const usesDevelopmentKey = key === undefined
  const accountKey =
    account ?? (key === undefined ? DEVELOPMENT_ACCOUNT : accountOf(key)) ?? needAccount()
  return {
    apiUrl,
    apiKey: key ?? DEVELOPMENT_KEY,
    accountKey,
    edgeUrl: edgeUrl ?? (isLocal ? LOCAL_EDGE_URL : undefined),
    usesDevelopmentKey,
  }
}

/** Throws `UsageError` when there is none. */
export function edgeUrlOf({ edgeUrl }: Connection): string {
  if (edgeUrl !== undefined) return edgeUrl
  throw new UsageError('--edge-url or SIGNALBOX_EDGE_URL is needed: the API is on another machine')
}

/** An account's own key, `sbk.<account_key>.<key_id>.<secret>`, says whose it is. */
function accountOf(key: string): string | undefined {
  const [prefix, account] = key.split('.')
  return prefix === 'sbk' && nameSchema.safeParse(account).success ? account : undefined
}

function needAccount(): never {
  throw new UsageError('--account or SIGNALBOX_ACCOUNT is needed: the key does not say which')
}
