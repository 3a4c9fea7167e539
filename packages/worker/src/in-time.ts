/** Work that has to end: in its time, and before its worker stops. What it does after that is nobody's business any more. */
import { AppError, UnavailableError } from '@signalbox/kit'

export interface TimeLimits {
  timeoutMs: number
  /** The worker waits no longer; its reason is what is thrown. */
  shutdown: AbortSignal
  /** As the error calls it: `handler "x"`. */
  what: string
}

/**
 * Settles when the work does, its time is over (`SB_HANDLER_FAILED`, retryable) or `shutdown` aborts, whichever is first. The signal
 * that the work gets aborts with the same reason.
 */
export async function inTime<Value>(
  work: (signal: AbortSignal) => Value | Promise<Value>,
  { timeoutMs, shutdown, what }: TimeLimits,
): Promise<Value> {
  shutdown.throwIfAborted()
  const controller = new AbortController()
  const { promise: cut, reject } = Promise.withResolvers<never>()
  const end = (reason: unknown): void => {
    controller.abort(reason)
    reject(reason)
  }
  const onShutdown = () => end(shutdown.reason)
  const timer = setTimeout(() => end(tookLonger(what, timeoutMs)), timeoutMs)
  shutdown.addEventListener('abort', onShutdown, { once: true })
  try {
    return await Promise.race([work(controller.signal), cut])
  } finally {
    clearTimeout(timer)
    shutdown.removeEventListener('abort', onShutdown)
  }
}

/** Settles as the work does, or rejects with the signal's reason. */
export async function unlessAborted<Value>(
  work: Value | Promise<Value>,
  signal: AbortSignal,
): Promise<Value> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function tookLonger(what: string, timeoutMs: number): AppError {
  return new AppError('SB_HANDLER_FAILED', `${what} took longer than ${timeoutMs} ms`, {
    retryable: true,
  })
}

/** The reason of a `shutdown`: what was in hand goes back to its queue. */
export function workerStopped(): UnavailableError {
  return new UnavailableError('the worker stopped before this was done')
}
