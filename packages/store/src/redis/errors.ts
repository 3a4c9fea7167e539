/** The one place where an error of Redis or of its connection becomes ours. */
import { AppError, UnavailableError } from '@signalbox/kit'
import { ReplyError } from 'ioredis'

/**
 * Replies that say "not now" or "not here" and not "your command is wrong". A script passes them on within its own error.
 * Source: https://redis.io/docs/latest/develop/clients/error-handling/
 */
const NOT_NOW =
  /(?:^|[\s-])(LOADING|READONLY|OOM|MASTERDOWN|BUSY|MISCONF|NOREPLICAS|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOAUTH|WRONGPASS|NOPERM)\s/

/** Those of them that come to writes while reading goes on. */
const REFUSED_WRITE = /(?:^|[\s-])((?:READONLY|OOM|MISCONF|NOREPLICAS)\s.*?)(?:\. script:|$)/s

/** How ioredis says that a command was under way, or about to be, when the connection broke. */
const CONNECTION_LOST = /max retries per request|isn't writeable|Connection is closed/

/** A reply that says that our command is wrong stays what it is: it is a fault in this code, and no waiting helps. */
export function errorOf(error: unknown): unknown {
  if (error instanceof AppError) return error
  if (!(error instanceof Error)) return unavailable(String(error), error)
  // ioredis attaches the command with its arguments, which may be a password or a person's data.
  Reflect.deleteProperty(error, 'command')
  if (isReplyError(error) && !NOT_NOW.test(error.message)) return error
  const isLost = CONNECTION_LOST.test(error.message)
  return unavailable(isLost ? 'the connection was lost' : error.message, error)
}

/** What Redis said when it refused to write, or undefined: it was another error. */
export function refusedWriteOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !isReplyError(error)) return undefined
  return REFUSED_WRITE.exec(error.message)?.[1]
}

export function unavailable(reason: string, cause?: unknown): UnavailableError {
  return new UnavailableError(`Redis is unavailable: ${reason}`, {
    code: 'SB_STORE_UNAVAILABLE',
    ...(cause === undefined ? {} : { cause }),
  })
}

function isReplyError(error: Error): boolean {
  return error instanceof ReplyError
}
