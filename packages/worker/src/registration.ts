/**
 * Telling the catalog, again and again, which handlers this worker runs. A worker that cannot tell it works all the same, so
 * this never fails: it is logged once, and tried until it succeeds.
 */
import type { HandlerDescription } from '@signalbox/contracts'
import { backoffDelayMs, delay, type Log } from '@signalbox/kit'
import type { HandlerCatalog } from '@signalbox/store'

export interface RegistrationOptions {
  workerId: string
  handlers: readonly HandlerDescription[]
  /** How long the catalog believes it; told again every third of that. */
  ttlMs: number
}

export interface RegistrationDeps {
  catalog: Pick<HandlerCatalog, 'register' | 'unregister'>
  log: Log
}

/** Resolves after the first try, whatever became of it. Disposing it takes the worker out of the catalog. */
export async function registerHandlers(
  { workerId, handlers, ttlMs }: RegistrationOptions,
  { catalog, log }: RegistrationDeps,
): Promise<AsyncDisposable> {
  const stop = new AbortController()
  let failures = 0

  const register = async () => {
    try {
      await Promise.all(handlers.map((handler) => catalog.register(handler, { workerId, ttlMs })))
      if (failures > 0) log.info({ workerId }, 'registration.recovered')
      failures = 0
    } catch (err) {
      if (failures === 0) log.warn({ err, workerId }, 'registration.failed')
      failures += 1
    }
  }
  const repeat = async () => {
    while (!stop.signal.aborted) {
      await delay(failures > 0 ? backoffDelayMs(failures) : ttlMs / 3, stop.signal)
      if (!stop.signal.aborted) await register()
    }
  }

  await register()
  const repeating = repeat()
  return {
    async [Symbol.asyncDispose]() {
      if (stop.signal.aborted) return repeating
      stop.abort()
      await repeating
      try {
        await Promise.all(handlers.map(({ name }) => catalog.unregister(name, workerId)))
      } catch (err) {
        log.warn({ err, workerId }, 'registration.not_withdrawn')
      }
    },
  }
}
