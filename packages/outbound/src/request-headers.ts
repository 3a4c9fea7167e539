/** The headers that a stranger's callback may have. */
import { InvalidInputError } from '@signalbox/kit'

const MAX_HEADERS = 32
const MAX_NAME_CHARS = 128
const MAX_VALUE_CHARS = 4_096

/** A token. Source: https://www.rfc-editor.org/rfc/rfc9110#name-field-names */
const NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/
/** Visible ASCII, with spaces and tabs inside: nothing that could end a line, and nothing that receivers decode in different ways. */
const VALUE = /^$|^[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?$/

/** Ours to set: who is meant, how long the body is, what the connection does (RFC 9110 section 7.6.1), and the signature. */
const RESERVED: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'expect',
  'forwarded',
  'host',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
])
const RESERVED_PREFIXES = ['proxy-', 'sec-', 'webhook-', 'x-forwarded-']

/**
 * The headers with their names in lower case, or an `InvalidInputError` that names every one that cannot be sent: more than 32; a name that is no
 * token of at most 128 characters, comes twice or is reserved; a value that is longer than 4,096 characters, or not visible ASCII with
 * spaces and tabs inside it only. Values are not in the error: they may be secrets.
 */
export function checkCallbackHeaders(
  headers: Readonly<Record<string, string>>,
): Record<string, string> {
  const entries = Object.entries(headers)
  const checked = new Map<string, string>()
  const details: { path: string; message: string }[] = []
  if (entries.length > MAX_HEADERS) {
    details.push({ path: 'headers', message: `there are more than ${MAX_HEADERS}` })
  }
  for (const [given, value] of entries.slice(0, MAX_HEADERS)) {
    const name = given.toLowerCase()
    const message = checked.has(name) ? 'comes twice' : (nameFault(name) ?? valueFault(value))
    if (message !== undefined) details.push({ path: `headers.${shown(given)}`, message })
    checked.set(name, value)
  }
  if (details.length === 0) return Object.fromEntries(checked)
  const summary = details.map(({ path, message }) => `${path} ${message}`).join('; ')
  throw new InvalidInputError(summary, { details })
}

function nameFault(name: string): string | undefined {
  if (name.length > MAX_NAME_CHARS || !NAME.test(name)) return 'is no name of a header'
  const isReserved =
    RESERVED.has(name) || RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix))
  return isReserved ? 'is reserved' : undefined
}

function valueFault(value: string): string | undefined {
  if (value.length > MAX_VALUE_CHARS) return `is longer than ${MAX_VALUE_CHARS} characters`
  return VALUE.test(value) ? undefined : 'is not visible ASCII'
}

function shown(name: string): string {
  return name.replace(/[^\x21-\x7e]/g, '?').slice(0, MAX_NAME_CHARS)
}
