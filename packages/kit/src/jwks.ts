/**
 * The public keys of another issuer of tokens (a JSON Web Key Set, RFC 7517), from its address or a file.
 *
 * - none: nothing was loaded yet; whoever needs a key waits for the loading under way
 * - fresh: used as it is
 * - old: used as it is, and loaded anew meanwhile
 *
 * A key that is not in the set (the issuer has changed its keys) is looked for in the set loaded anew, once in `cooldownMs`: strangers
 * who name keys that do not exist cause no more loading than that. When loading fails, what was loaded before stays in use, and the
 * next attempt is `retryMs` away; until then, with nothing loaded, the answer is at once that the keys cannot be had.
 */
import { readFile } from 'node:fs/promises'
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { UnavailableError } from './errors.ts'
import type { Log } from './logging.ts'

const MAX_AGE_MS = 600_000
const COOLDOWN_MS = 30_000
const RETRY_MS = 5_000
const LOAD_TIMEOUT_MS = 3_000
const MAX_BYTES = 256 * 1024

/** Reads the set anew; rejects when it cannot be had or is none. */
export type JwksSource = () => Promise<string>

export interface JwksOptions {
  /** From here on a set is loaded anew while it is used; default 10 minutes. */
  maxAgeMs?: number
  /** Between loadings for keys that are not there; default 30 s. */
  cooldownMs?: number
  /** Between loadings that fail; default 5 s. */
  retryMs?: number
}

/** Rejects with `UnavailableError` when nothing could be loaded, with an error of jose when no key fits the token. */
export function createJwksResolver(
  source: JwksSource,
  { maxAgeMs = MAX_AGE_MS, cooldownMs = COOLDOWN_MS, retryMs = RETRY_MS }: JwksOptions,
  { log }: { log: Log },
): JWTVerifyGetKey {
  let keys: JWTVerifyGetKey | undefined
  let attemptedAtMs = Number.NEGATIVE_INFINITY
  let loadedAtMs = Number.NEGATIVE_INFINITY
  let hasFailed = false
  let loading: Promise<void> | undefined

  const since = (timeMs: number) => performance.now() - timeMs

  async function load(): Promise<void> {
    attemptedAtMs = performance.now()
    try {
      keys = createLocalJWKSet(JSON.parse(await source()) as JSONWebKeySet)
      loadedAtMs = performance.now()
      hasFailed = false
    } catch (error) {
      hasFailed = true
      log.warn({ err: error }, 'jwks.load_failed')
    } finally {
      loading = undefined
    }
  }

  function loadAfter(pauseMs: number): Promise<void> {
    if (!loading && since(attemptedAtMs) >= pauseMs) loading = load()
    return loading ?? Promise.resolve()
  }

  return async (header, token) => {
    if (!keys) await loadAfter(hasFailed ? retryMs : 0)
    else if (since(loadedAtMs) >= maxAgeMs) void loadAfter(retryMs)
    if (!keys) throw new UnavailableError('the keys of the token issuer cannot be had now')
    try {
      return await keys(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      await loadAfter(hasFailed ? Math.max(retryMs, cooldownMs) : cooldownMs)
      return keys(header, token)
    }
  }
}

/** Follows no redirect; gives up after 3 s or 256 KiB. */
export function jwksFromUrl(url: string): JwksSource {
  return async () => {
    const signal = AbortSignal.timeout(LOAD_TIMEOUT_MS)
    const response = await fetch(url, { signal, redirect: 'error' })
    if (!response.ok) throw new Error(`the keys were answered with ${response.status}`)
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length
      if (bytes > MAX_BYTES) throw new Error(`the keys are more than ${MAX_BYTES} bytes`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString()
  }
}

export function jwksFromFile(path: string): JwksSource {
  return () => readFile(path, 'utf8')
}
