/**
 * `npm run watch -- <person_key>`: a person's state changes as they happen, one frame per line, until Ctrl-C.
 *
 * It asks the API for a token, opens a WebSocket at the edge and subscribes, with nothing but what Node brings: a plain client
 * of docs/websocket-protocol.md.
 */
import { parseArgs } from 'node:util'

const USAGE = `Usage: npm run watch -- <person_key> [options]

  --entity flow|step   only these states (default: both)
  --account <key>      account of the person (default: demo)
  --api <url>          HTTP API (default: http://127.0.0.1:8080)
  --url <url>          edge (default: ws://127.0.0.1:8081)
  --key <key>          key for the API (default: signalbox-dev)`

const ENTITIES = ['flow', 'step']

interface Watch {
  personKey: string
  entities: readonly string[]
  accountKey: string
  apiUrl: string
  edgeUrl: string
  apiKey: string
}

interface Frame {
  errors?: { code: string; message: string }[]
  status?: number
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
  if (entity !== undefined && !ENTITIES.includes(entity)) {
    return misuse(`--entity is flow or step, not ${entity}`)
  }
  const apiUrl = withScheme('--api', values.api, ['http:', 'https:'])
  const edgeUrl = withScheme('--url', values.url, ['ws:', 'wss:'])
  const entities = entity === undefined ? ENTITIES : [entity]
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

function follow({ edgeUrl, entities, personKey }: Watch, token: string): void {
  const socket = new WebSocket(`${edgeUrl}/v1/socket`, ['signalbox.v1', `bearer.${token}`])
  let isOpen = false
  socket.onopen = () => {
    isOpen = true
    for (const [index, entity] of entities.entries()) {
      const data = { person_key: personKey, entity }
      const request = { action: 'subscribe_state_change', request_id: index + 1, data }
      socket.send(JSON.stringify(request))
    }
  }
  socket.onmessage = ({ data }) => {
    const text = String(data)
    console.log(text)
    const { status = 200, errors = [] } = JSON.parse(text) as Frame
    if (status !== 200) fail(`The edge refused: ${errors.map(({ message }) => message).join('; ')}`)
  }
  socket.onclose = ({ code, reason }) => {
    if (isOpen) fail(`The edge closed the socket: ${code} ${reason}`)
    // n.b. a client is told no more than that: the status of a refused upgrade stays with its WebSocket.
    fail(`No WebSocket could be opened at ${edgeUrl}. Is that the edge, and does it run?`)
  }
  process.once('SIGINT', () => {
    socket.onclose = () => process.exit(0)
    socket.close(1000)
  })
}

function misuse(fault: string): never {
  console.error(`${fault}\n\n${USAGE}`)
  process.exit(2)
}

function fail(message: string): never {
  console.error(message.trim())
  process.exit(1)
}
