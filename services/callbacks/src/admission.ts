/**
 * Admission: whether a callback may be sent now, so that one bad endpoint harms nobody.
 *
 * Each endpoint (a listener of an account) has a bound on deliveries at once, a rate and a circuit; each account a bound and a rate over all
 * of its endpoints. Both are guards of one process. Who finds no place waits in the *line* for a moment or is sent away, back to the broker.
 *
 * | there is no place because …          | it                                                                            |
 * | ------------------------------------ | ----------------------------------------------------------------------------- |
 * | as many as may be are under way      | waits here while the line moves quickly; else it is sent away                 |
 * | the rate is reached                  | is sent away                                                                  |
 * | the circuit is open                  | is sent away, not before the next probe                                       |
 * | the endpoint asked for a pause       | is sent away, not before its end                                              |
 */
import {
  createEndpointGuard,
  type EndpointGuard,
  type EndpointGuardOptions,
  type EndpointLimits,
  type GuardAnswer,
  type PassResult,
} from '@signalbox/outbound'
import { Line, type LineOptions, type Pace } from './line.ts'

const DEFAULT_LINE: LineOptions = { maxWaitMs: 500, maxWaiting: 512, maxAwayMs: 3_600_000 }
const MAX_LINES = 10_000
/** Callbacks behind an open circuit come back at most so close to one another. */
const OPEN_CIRCUIT_INTERVAL_MS = 10
/** Tokens that gather in a pause: what was sent away comes back in steps of a second. */
const BURST_SECONDS = 1
const MIN_BURST = 16

export interface AdmissionOptions {
  /** Deliveries at once to one endpoint that has no limit of its own; default 16. */
  endpointConcurrency?: number | undefined
  /** Deliveries at once of one account; default 128. */
  accountConcurrency?: number | undefined
  /** Deliveries per second of one account; default: no bound. */
  accountPerSecond?: number | undefined
  circuit?: Omit<EndpointGuardOptions, 'limits'> | undefined
  line?: Partial<LineOptions> | undefined
}

export interface AdmissionDeps {
  /** Milliseconds on a clock that does not go back; default `performance.now`. */
  now?(): number
  /** 0 to 1; default `Math.random`. */
  random?(): number
}

export interface Request {
  accountKey: string
  listenerId: string
  limits?: { concurrency?: number | undefined; per_second?: number | undefined } | undefined
  /** How often it was sent away before. */
  deferrals: number
}

export type WaitReason = Extract<GuardAnswer, { go: false }>['reason'] | 'account'

export type Admission =
  | { readonly go: true; settle(result: PassResult): void }
  | { readonly go: false; readonly retryAfterMs: number; readonly reason: WaitReason }

export interface Admissions {
  /** What was let in has to be settled, once. */
  admit(request: Request): Promise<Admission>
  readonly inFlight: number
  readonly waiting: number
  countOpen(): number
}

/** An endpoint, or an account, as one that wants a place there sees it. */
interface Place {
  guard: EndpointGuard
  key: string
  line: Line
  limits: EndpointLimits
}

export function createAdmissions(
  options: AdmissionOptions = {},
  { now = () => performance.now(), random = Math.random }: AdmissionDeps = {},
): Admissions {
  const { endpointConcurrency = 16, accountConcurrency = 128, accountPerSecond } = options
  const lineOptions = { ...DEFAULT_LINE, ...options.line }
  const endpoints = createEndpointGuard(options.circuit, { now, random })
  const accounts = createEndpointGuard({}, { now, random })
  const lines = new Map<string, Line>()
  let inFlight = 0

  function lineOf(key: string): Line {
    let line = lines.get(key)
    if (!line) {
      if (lines.size >= MAX_LINES) forgetIdle()
      line = new Line(lineOptions)
      lines.set(key, line)
    }
    return line
  }

  function forgetIdle(): void {
    const nowMs = now()
    for (const [key, line] of lines) if (line.isIdle(nowMs)) lines.delete(key)
  }

  function placesOf({ accountKey, listenerId, limits }: Request): {
    endpoint: Place
    account: Place
  } {
    // n.b. neither holds a space.
    const key = `${accountKey} ${listenerId}`
    return {
      endpoint: {
        guard: endpoints,
        key,
        line: lineOf(key),
        limits: limitsOf(limits?.concurrency ?? endpointConcurrency, limits?.per_second),
      },
      account: {
        guard: accounts,
        key: accountKey,
        line: lineOf(accountKey),
        limits: limitsOf(accountConcurrency, accountPerSecond),
      },
    }
  }

  function sentAway(
    { line, limits }: Place,
    { deferrals }: Request,
    floorMs: number,
    reason: WaitReason,
  ): Admission {
    const booking = {
      floorMs,
      deferrals,
      pace: limits,
      ...(reason === 'circuit_open' ? { minIntervalMs: OPEN_CIRCUIT_INTERVAL_MS } : {}),
    }
    return { go: false, retryAfterMs: Math.ceil(line.book(now(), booking, random())), reason }
  }

  return {
    async admit(request) {
      const { endpoint, account } = placesOf(request)
      let told: Line | undefined
      const away = (place: Place, waitMs: number, reason: WaitReason) => {
        told?.free()
        return sentAway(place, request, waitMs, reason)
      }
      for (;;) {
        const atEndpoint = ask(endpoint)
        if (!atEndpoint.go) {
          if (atEndpoint.reason !== 'busy' || !(await waitIn(endpoint)))
            return away(endpoint, atEndpoint.waitMs, atEndpoint.reason)
          told = endpoint.line
          continue
        }
        const atAccount = ask(account)
        if (atAccount.go) {
          inFlight += 1
          return { go: true, settle: settlementOf(endpoint, account, atEndpoint, atAccount) }
        }
        atEndpoint.pass.settle({ verdict: 'neutral' })
        if (atAccount.reason !== 'busy' || !(await waitIn(account)))
          return away(account, atAccount.waitMs, 'account')
        told = account.line
      }

      async function waitIn(place: Place): Promise<boolean> {
        // n.b. told by one line and without a place in the other: somebody else may use it.
        if (told !== place.line) told?.free()
        told = undefined
        return place.line.wait(now(), place.limits)
      }
    },
    get inFlight() {
      return inFlight
    },
    get waiting() {
      let waiting = 0
      for (const line of lines.values()) waiting += line.waiting
      return waiting
    },
    countOpen: () => endpoints.countOpen(),
  }

  function settlementOf(
    endpoint: Place,
    account: Place,
    ...[atEndpoint, atAccount]: [
      Extract<GuardAnswer, { go: true }>,
      Extract<GuardAnswer, { go: true }>,
    ]
  ): (result: PassResult) => void {
    const startedAtMs = now()
    let isSettled = false
    return (result) => {
      if (isSettled) return
      isSettled = true
      inFlight -= 1
      const durationMs = now() - startedAtMs
      atEndpoint.pass.settle(result)
      atAccount.pass.settle({ verdict: 'neutral' })
      for (const { line } of [endpoint, account]) {
        line.observe(now(), durationMs)
        line.free()
      }
    }
  }
}

function ask({ guard, key, limits }: Place): GuardAnswer {
  return guard.ask(key, limits)
}

function limitsOf(maxConcurrent: number, perSecond: number | undefined): EndpointLimits & Pace {
  const ratePerSecond = perSecond ?? Number.POSITIVE_INFINITY
  const burst = perSecond === undefined ? MIN_BURST : Math.max(MIN_BURST, perSecond * BURST_SECONDS)
  return { maxConcurrent, ratePerSecond, burst }
}
