/**
 * What one endpoint may be asked to take now: a pure core, to which time is told.
 *
 * States of its *circuit*: *closed* (deliveries go), *open* (none goes until a time), *probing* (one goes, and its end decides). Failures in a
 * row open it; every probe that fails doubles the time to the next, up to a bound; one success closes it.
 *
 * Besides that there are a bound on deliveries at once, a rate (a bucket of tokens), and a hold: what the endpoint asked for with `Retry-After`.
 */

export interface EndpointLimits {
  /** Deliveries under way at once. */
  maxConcurrent: number
  /** Deliveries begun per second in the long run; Infinity for no limit. */
  ratePerSecond: number
  /** Deliveries that may begin at once after a pause; at least 1. */
  burst: number
}

export interface CircuitOptions {
  /** Failures in a row that open it. */
  failuresToOpen: number
  /** From the opening to the first probe. */
  firstProbeMs: number
  /** The longest time between probes. */
  maxProbeMs: number
  /** The longest hold. */
  maxHoldMs: number
  /** What a delivery waits for that finds the endpoint full, or a probe on its way. */
  busyWaitMs: number
}

export type Circuit =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly untilMs: number; readonly openings: number }
  | { readonly kind: 'probing'; readonly openings: number }

export interface EndpointState {
  readonly circuit: Circuit
  /** Counts the changes of the circuit's kind: what began under an earlier one says nothing about this one. */
  readonly era: number
  readonly inFlight: number
  readonly tokens: number
  readonly refilledAtMs: number
  readonly heldUntilMs: number
}

export type WaitReason = 'circuit_open' | 'held' | 'busy' | 'rate'

export type Admission =
  | { readonly go: true; readonly state: EndpointState; readonly era: number }
  | { readonly go: false; readonly waitMs: number; readonly reason: WaitReason }

/**
 * How a delivery ended, for the circuit: `success` closes it, `failure` counts towards opening it, `neutral` says nothing (it was not sent, or
 * the endpoint is there and asked for less).
 */
export type Verdict = 'success' | 'failure' | 'neutral'

export function newEndpointState(limits: EndpointLimits, nowMs: number): EndpointState {
  return {
    circuit: { kind: 'closed', failures: 0 },
    era: 0,
    inFlight: 0,
    tokens: limits.burst,
    refilledAtMs: nowMs,
    heldUntilMs: nowMs,
  }
}

/** Whether a delivery may begin now; a wait is at least 1 ms, and changes nothing. */
export function admit(
  state: EndpointState,
  nowMs: number,
  limits: EndpointLimits,
  options: CircuitOptions,
): Admission {
  const { circuit, inFlight, heldUntilMs } = state
  if (circuit.kind === 'open' && circuit.untilMs > nowMs) {
    return wait(circuit.untilMs - nowMs, 'circuit_open')
  }
  if (heldUntilMs > nowMs) return wait(heldUntilMs - nowMs, 'held')
  if (circuit.kind === 'probing') return wait(options.busyWaitMs, 'circuit_open')
  if (inFlight >= limits.maxConcurrent) return wait(options.busyWaitMs, 'busy')
  const tokens = tokensAt(state, nowMs, limits)
  if (tokens < 1) return wait(((1 - tokens) / limits.ratePerSecond) * 1_000, 'rate')

  const isProbe = circuit.kind === 'open'
  const era = isProbe ? state.era + 1 : state.era
  const next: EndpointState = {
    circuit: isProbe ? { kind: 'probing', openings: circuit.openings } : circuit,
    era,
    inFlight: inFlight + 1,
    tokens: tokens - 1,
    refilledAtMs: nowMs,
    heldUntilMs,
  }
  return { go: true, state: next, era }
}

export interface Settled {
  /** Of the admission. */
  era: number
  verdict: Verdict
  /** What the endpoint asked for; bounded by `maxHoldMs`. */
  holdMs?: number | undefined
}

/** The state after a delivery has ended. `jitter` (0 to 1) spreads probes over the upper half of their delay. */
export function settle(
  state: EndpointState,
  nowMs: number,
  { era, verdict, holdMs = 0 }: Settled,
  options: CircuitOptions,
  jitter: number,
): EndpointState {
  const circuit =
    era === state.era ? circuitAfter(state.circuit, nowMs, verdict, options, jitter) : state.circuit
  return {
    ...state,
    circuit,
    era: circuit.kind === state.circuit.kind ? state.era : state.era + 1,
    inFlight: state.inFlight - 1,
    heldUntilMs: Math.max(state.heldUntilMs, nowMs + Math.min(holdMs, options.maxHoldMs)),
  }
}

function circuitAfter(
  circuit: Circuit,
  nowMs: number,
  verdict: Verdict,
  options: CircuitOptions,
  jitter: number,
): Circuit {
  if (verdict === 'success') return { kind: 'closed', failures: 0 }
  if (circuit.kind === 'closed') {
    if (verdict === 'neutral') return circuit
    const failures = circuit.failures + 1
    if (failures < options.failuresToOpen) return { kind: 'closed', failures }
    return { kind: 'open', untilMs: nowMs + probeDelayMs(1, options, jitter), openings: 1 }
  }
  // n.b. a probe that says nothing leaves the question open: the next delivery is a probe again.
  if (verdict === 'neutral') return { kind: 'open', untilMs: nowMs, openings: circuit.openings }
  const openings = circuit.openings + 1
  return { kind: 'open', untilMs: nowMs + probeDelayMs(openings, options, jitter), openings }
}

function probeDelayMs(openings: number, options: CircuitOptions, jitter: number): number {
  const step = Math.min(options.maxProbeMs, options.firstProbeMs * 2 ** Math.min(openings - 1, 30))
  return step / 2 + (step / 2) * jitter
}

function tokensAt(state: EndpointState, nowMs: number, limits: EndpointLimits): number {
  if (limits.ratePerSecond === Infinity) return limits.burst
  const elapsedMs = Math.max(0, nowMs - state.refilledAtMs)
  return Math.min(limits.burst, state.tokens + (elapsedMs / 1_000) * limits.ratePerSecond)
}

function wait(waitMs: number, reason: WaitReason): Admission {
  return { go: false, waitMs: Math.max(1, Math.ceil(waitMs)), reason }
}
