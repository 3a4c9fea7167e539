/**
 * `npm run watch -- <person_key>`: a person's state changes as they happen, one frame per line, until Ctrl-C.
 *
 * It asks the API for tokens and leaves the rest to the client of `packages/client`: when the edge goes away it comes back, with what
 * happened meanwhile. What is shown are the frames as they come (docs/websocket-protocol.md).
 */
import { parseArgs } from 'node:util'
import { connect, type Status } from '../packages/client/src/index.ts'

const USAGE = `Usage: npm run watch -- <person_key> [options]

  --entity flow|step   only these states (default: both)
  --account <key>      account of the person (default: demo)
  --api <url>          HTTP API (default: http://127.0.0.1:8080)
  --url <url>          edge (default: ws://127.0.0.1:8081)
  --key <key>          key for the API (default: signalbox-dev)`

const ENTITIES = ['flow', 'step'] as const

interface Watch {
  personKey: string
  entities: readonly ('flow' | 'step')[]
  accountKey: string
  apiUrl: string
  edgeUrl: string
  apiKey: string
}

const watch = readArguments(process.argv.slice(2))
follow(watch, await requestToken(watch))

function readArguments(args: string[]): Watch {
  const { values, positionals } = parsed(args)
  if (values.help) {
    console.log(USAGE)
    process.exit(0)
  }
  const [personKey, ...others] = positionals
  if (personKey === undefined) return misuse('name the person to watch')
  if (others.length > 0) return misuse(`one person at a time, not also ${others.join(' ')}`)
  const { entity } = values
  const entities = ENTITIES.filter((known) => entity === undefined || entity === known)
  if (entities.length === 0) return misuse(`--entity is flow or step, not ${entity}`)
  const apiUrl = withScheme('--api', values.api, ['http:', 'https:'])
  const edgeUrl = withScheme('--url', values.url, ['ws:', 'wss:'])
  return { personKey, entities, accountKey: values.account, apiUrl, edgeUrl, apiKey: values.key }
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        entity: { type: 'string' },
        account: { type: 'string', default: 'demo' },
        api: { type: 'string', default: 'http://127.0.0.1:8080' },
        url: { type: 'string', default: 'ws://127.0.0.1:8081' },
        key: { type: 'string', default: 'signalbox-dev' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    return misuse((error as Error).message)
  }
}

/** The URL without a slash at its end. */
function withScheme(option: string, url: string, schemes: readonly string[]): string {
  const scheme = URL.parse(url)?.protocol
  if (scheme !== undefined && schemes.includes(scheme)) return url.replace(/\/+$/, '')
  return misuse(`${option} is a URL of ${schemes.join(' or ')}//, not ${url}`)
}

async function requestToken({ apiUrl, accountKey, personKey, apiKey }: Watch): Promise<string> {
  let response: Response
  try {
    response = await fetch(`${apiUrl}/v1/accounts/${encodeURIComponent(accountKey)}/tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ person_key: personKey }),
      signal: AbortSignal.timeout(10_000),
    })
  } catch (error) {
    const { cause, message } = error as Error
    const reason = cause instanceof Error ? cause.message || cause.name : message
    return fail(`The API at ${apiUrl} cannot be reached (${reason}). Is Signalbox running?`)
  }
  const answer = (await response.json().catch(() => ({}))) as { token?: string; detail?: string }
  if (response.ok && answer.token !== undefined) return answer.token
  return fail(`The API at ${apiUrl} gave no token: ${response.status} ${answer.detail ?? ''}`)
}

function follow(watch: Watch, firstToken: string): void {
  const { edgeUrl, entities, personKey } = watch
  let nextToken: string | undefined = firstToken
  let wasOpen = false
  const client = connect({
    url: edgeUrl,
    token() {
      const token = nextToken ?? requestToken(watch)
      nextToken = undefined
      return token
    },
    onFrame(direction, text) {
      if (direction === 'in') console.log(text)
    },
    onStatus: tell,
  })
  for (const entity of entities) {
    client.subscribeStateChange(
      { personKey, entity },
      {
        onError: ({ message }, willRetry) =>
          willRetry ? console.error(message) : fail(`The edge refused: ${message}`),
      },
    )
  }
  process.once('SIGINT', () => void client.close().then(() => process.exit(0)))

  function tell(status: Status): void {
    if (status.state === 'open') wasOpen = true
    if (status.state === 'closed' && status.error) fail(status.error.message)
    if (status.state !== 'waiting') return
    if (!wasOpen) fail(`No WebSocket at ${edgeUrl} (${status.error.message}). Does the edge run?`)
    console.error(`${status.error.message}; trying again in ${status.retryInMs} ms`)
  }
}

function misuse(fault: string): never {
  console.error(`${fault}\n\n${USAGE}`)
  process.exit(2)
}

function fail(message: string): never {
  console.error(message.trim())
  process.exit(1)
}
