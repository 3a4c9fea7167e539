/**
 * The guard of endpoints: so that one that is dead, slow or overrun harms nobody else.
 *
 * It answers at once: go, or wait so long. Nothing waits in here; who is told to wait gives the work back to the broker. What is under way
 * has a *pass*, which is settled once.
 */

import {
  admit,
  type CircuitOptions,
  type EndpointLimits,
  type EndpointState,
  newEndpointState,
  settle,
  type Verdict,
  type WaitReason,
} from './circuit.ts'
import type { DeliveryOutcome } from './outcome.ts'

const DEFAULT_LIMITS: EndpointLimits = {
  maxConcurrent: 16,
  ratePerSecond: Number.POSITIVE_INFINITY,
  burst: 16,
}
const DEFAULTS: CircuitOptions & { maxEndpoints: number } = {
  failuresToOpen: 10,
  firstProbeMs: 5_000,
  maxProbeMs: 300_000,
  maxHoldMs: 300_000,
  busyWaitMs: 1_000,
  maxEndpoints: 10_000,
}

export interface EndpointGuardOptions extends Partial<CircuitOptions> {
  /** Endpoints remembered; beyond it the one asked for least recently without work under way is forgotten. Default 10,000. */
  maxEndpoints?: number
  /** Of endpoints for which nothing else is said; default 16 at once, no rate. */
  limits?: Partial<EndpointLimits>
}

export interface EndpointGuardDeps {
  /** Milliseconds on a clock that does not go back; default `performance.now`. */
  now?(): number
  /** 0 to 1; default `Math.random`. */
  random?(): number
}

export interface PassResult {
  verdict: Verdict
  holdMs?: number | undefined
}

export interface Pass {
  /** Idempotent: the first one counts. A pass that is never settled keeps its place for ever. */
  settle(result: PassResult): void
}

export type GuardAnswer =
  | { readonly go: true; readonly pass: Pass }
  /** `full`: as many endpoints as may be have work under way. */
  | { readonly go: false; readonly waitMs: number; readonly reason: WaitReason | 'full' }

export interface EndpointGuard {
  /** `endpoint` is any text that names it, e.g. the URL's origin, or account and listener. `limits` hold for this question. */
  ask(endpoint: string, limits?: Partial<EndpointLimits>): GuardAnswer
  /** For health and metrics. */
  readonly size: number
  /** How many have an open circuit, or are being probed; looks at each. */
  countOpen(): number
}

export function createEndpointGuard(
  options: EndpointGuardOptions = {},
  { now = () => performance.now(), random = Math.random }: EndpointGuardDeps = {},
): EndpointGuard {
  const { limits: givenLimits, ...given } = options
  const settings = { ...DEFAULTS, ...given }
  const defaultLimits = { ...DEFAULT_LIMITS, ...givenLimits }
  /** The one asked for least recently first. */
  const states = new Map<string, EndpointState>()

  function makeRoom(): boolean {
    if (states.size < settings.maxEndpoints) return true
    for (const [endpoint, { inFlight }] of states) {
      if (inFlight > 0) continue
      states.delete(endpoint)
      return true
    }
    return false
  }

  function passOf(endpoint: string, era: number): Pass {
    let isSettled = false
    return {
      settle({ verdict, holdMs }) {
        const state = states.get(endpoint)
        if (isSettled || !state) return
        isSettled = true
        states.set(endpoint, settle(state, now(), { era, verdict, holdMs }, settings, random()))
      },
    }
  }

  return {
    ask(endpoint, limits) {
      const effective = limits ? { ...defaultLimits, ...limits } : defaultLimits
      const nowMs = now()
      const known = states.get(endpoint)
      if (!known && !makeRoom()) return { go: false, waitMs: settings.busyWaitMs, reason: 'full' }
      const state = known ?? newEndpointState(effective, nowMs)
      const admission = admit(state, nowMs, effective, settings)
      states.delete(endpoint)
      states.set(endpoint, admission.go ? admission.state : state)
      if (!admission.go) return admission
      return { go: true, pass: passOf(endpoint, admission.era) }
    },
    get size() {
      return states.size
    },
    countOpen() {
      return [...states.values()].filter(({ circuit }) => circuit.kind !== 'closed').length
    },
  }
}

/**
 * What an outcome says about its endpoint.
 *
 * | outcome                                  | verdict                                        |
 * | ---------------------------------------- | ---------------------------------------------- |
 * | `delivered`                              | success                                        |
 * | `refused` with a status below 500        | success: it is there; 429 is neutral           |
 * | `refused` with 5xx                       | failure                                        |
 * | `refused` by AMQP                        | success: the broker is there                   |
 * | `unreachable`, `timed_out`               | failure                                        |
 * | `forbidden`                              | neutral: nothing was sent                      |
 *
 * `Retry-After` of 429 and 5xx holds all deliveries to the endpoint.
 */
export function passResultOf(outcome: DeliveryOutcome): PassResult {
  switch (outcome.outcome) {
    case 'delivered':
      return { verdict: 'success' }
    case 'unreachable':
    case 'timed_out':
      return { verdict: 'failure' }
    case 'forbidden':
      return { verdict: 'neutral' }
    case 'refused': {
      const { status = 0, retryAfterMs } = outcome
      if (status === 429) return { verdict: 'neutral', holdMs: retryAfterMs }
      return status >= 500 ? { verdict: 'failure', holdMs: retryAfterMs } : { verdict: 'success' }
    }
  }
}
