/** The token at hand: asked of the application, kept until it is about to end, and asked for anew then. */
import { SignalboxError } from './errors.ts'

const ASK_TIMEOUT_MS = 30_000
/** The longest that a timer can be set for. */
const MAX_TIMER_MS = 2 ** 31 - 1
/** A token is renewed this long before its end, a short one in the last fifth of its life. */
const MAX_MARGIN_MS = 60_000
const MIN_DELAY_MS = 500

export interface Tokens {
  /** The one at hand, else a new one. Rejects when the application gives none. */
  get(): Promise<string>
  /** A new one; who asks meanwhile gets the same. */
  renew(): Promise<string>
  /** The one at hand is not good: the next `get` asks for another. */
  drop(): void
  /** Until the one at hand should be renewed, milliseconds; undefined: nothing tells. */
  renewalDelayMs(): number | undefined
}

export function createTokens(ask: () => Promise<string> | string): Tokens {
  let kept: { token: string; renewAtMs: number | undefined } | undefined
  let asking: Promise<string> | undefined

  async function renew(): Promise<string> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const patience = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new SignalboxError('SB_UNAVAILABLE', 'the application gave no token in time')),
        ASK_TIMEOUT_MS,
      )
    })
    try {
      const token = await Promise.race([Promise.resolve().then(ask), patience])
      const delayMs = renewalDelayMs(token)
      kept = { token, renewAtMs: delayMs === undefined ? undefined : Date.now() + delayMs }
      return token
    } finally {
      clearTimeout(timer)
      asking = undefined
    }
  }

  const tokens: Tokens = {
    async get() {
      if (kept && (kept.renewAtMs === undefined || Date.now() < kept.renewAtMs)) return kept.token
      return tokens.renew()
    },
    renew() {
      asking ??= renew()
      return asking
    },
    drop() {
      kept = undefined
    },
    renewalDelayMs() {
      if (kept?.renewAtMs === undefined) return undefined
      return Math.min(MAX_TIMER_MS, Math.max(MIN_DELAY_MS, kept.renewAtMs - Date.now()))
    },
  }
  return tokens
}

/** From the claims of a JWT, with jitter: tokens of one moment are not renewed in one. Undefined for a token of another kind. */
export function renewalDelayMs(token: string): number | undefined {
  const { exp, iat } = claimsOf(token)
  if (exp === undefined) return undefined
  const restMs = exp * 1_000 - Date.now()
  const lifeMs = iat === undefined ? Math.max(restMs, 0) : (exp - iat) * 1_000
  const marginMs = Math.min(MAX_MARGIN_MS, lifeMs / 5)
  if (restMs > marginMs) return restMs - marginMs * (0.5 + Math.random() / 2)
  // n.b. a token that is new and at its end by our clock tells that the clock is wrong: its life still counts.
  return Math.max(MIN_DELAY_MS, lifeMs / 4)
}

function claimsOf(token: string): { exp?: number; iat?: number } {
  try {
    const part = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')
    const claims = JSON.parse(atob(part)) as Record<string, unknown>
    return {
      ...(typeof claims.exp === 'number' ? { exp: claims.exp } : {}),
      ...(typeof claims.iat === 'number' ? { iat: claims.iat } : {}),
    }
  } catch {
    return {}
  }
}
