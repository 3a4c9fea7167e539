/** Handlers of the user's own, run beside the built-in ones: the quickest way to try one. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigError } from '@signalbox/kit'
import type { Handler } from '@signalbox/worker'

/** The default export of the module at `path` (relative to the working directory): a handler, or an array of them. */
export async function loadHandlers(path: string): Promise<Handler[]> {
  let loaded: { default?: unknown }
  try {
    loaded = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown }
  } catch (error) {
    throw new ConfigError(
      `SIGNALBOX_HANDLERS: ${path} cannot be loaded: ${(error as Error).message}`,
      { cause: error },
    )
  }
  const handlers = [loaded.default].flat()
  if (!handlers.every(isHandler)) {
    throw new ConfigError(
      `SIGNALBOX_HANDLERS: the default export of ${path} must be what defineHandler returns, or an array of it`,
    )
  }
  return handlers
}

function isHandler(value: unknown): value is Handler {
  const handler = value as Partial<Handler> | null | undefined
  return typeof handler?.name === 'string' && typeof handler.handle === 'function'
}
