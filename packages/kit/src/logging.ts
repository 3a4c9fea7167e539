/**
 * Logs: JSON lines on stdout. The message is a stable event name (`delivery.settled`), what varies goes into the object.
 */
import { type DestinationStream, destination as fileDestination, pino } from 'pino'

/** What code that logs asks for; every pino logger is one. */
export interface Log {
  debug(object: object, message: string): void
  info(object: object, message: string): void
  warn(object: object, message: string): void
  error(object: object, message: string): void
}

/** Field names whose values never reach a log, wherever they stand one or two levels deep. */
const SECRET_FIELDS = [
  'authorization',
  'password',
  'secret',
  'token',
  'key',
  'apiKey',
  'adminKey',
  'cookie',
]

export interface LoggerOptions {
  service: string
  level: string
  destination?: DestinationStream
}

export function createLogger({ service, level, destination }: LoggerOptions): Log {
  const options = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
      censor: '[redacted]',
    },
  }
  // n.b. pino writes to stdout asynchronously by default; the last lines of a process that exits then come out of order.
  return pino(options, destination ?? fileDestination({ dest: 1, sync: true }))
}

/** A log that keeps nothing, for tests and tools. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** `amqp://user:password@host/vhost` with the password masked, for logs and errors. */
export function maskUrl(url: string): string {
  const parsed = URL.parse(url)
  if (!parsed) return '[not a URL]'
  if (parsed.password !== '') parsed.password = '***'
  return parsed.toString()
}
