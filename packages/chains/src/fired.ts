/**
 * What a step fired, complete: its account is the run's, its cause is the step, and its identity follows from the invocation, so
 * that a result that is delivered again fires the same again.
 */
import {
  type CausedBy,
  completeCommand,
  completeEvent,
  firedIdOf,
  LIMITS,
  type RunContext,
  type StepResult,
  type VumiApiCommand,
  type VumiApiEvent,
} from '@signalbox/contracts'

export interface Fired {
  events: VumiApiEvent[]
  commands: VumiApiCommand[]
}

/** n.b. Attempts share the identities of what they fire, so only the one that succeeds fires anything. */
export function firedBy(result: StepResult): Fired {
  const { invocation_id, context, status, events = [], commands = [] } = result
  if (status !== 'succeeded' || events.length + commands.length === 0) {
    return { events: [], commands: [] }
  }
  const account_key = context.event.account_key
  const caused_by = causeOf(context)
  return {
    events: events.map((event, index) =>
      completeEvent({
        ...event,
        event_id: firedIdOf(invocation_id, 'event', index),
        account_key,
        caused_by,
      }),
    ),
    commands: commands.map((command, index) =>
      completeCommand({ ...command, command_id: firedIdOf(invocation_id, 'command', index) }),
    ),
  }
}

/** Why an event may start nothing any more: too many events before it caused one another. Undefined: it may. */
export function loopError(
  event: VumiApiEvent,
): { code: 'SB_HOP_LIMIT'; message: string; path: string[] } | undefined {
  const { hops = 0, path = [] } = event.caused_by ?? {}
  if (hops <= LIMITS.maxHops) return undefined
  const message = `the event is ${hops} hops from its source, at most ${LIMITS.maxHops} are allowed; chains passed: ${path.join(' > ')}`
  return { code: 'SB_HOP_LIMIT', message, path }
}

/** The step that the run is at. */
export function stepIdOf({ chain, step_index }: RunContext): string {
  return chain.steps[step_index]?.id ?? String(step_index)
}

function causeOf(context: RunContext): CausedBy {
  const { event, run_id, chain } = context
  return {
    event_id: event.event_id,
    run_id,
    step_id: stepIdOf(context),
    hops: (event.caused_by?.hops ?? 0) + 1,
    path: [...(event.caused_by?.path ?? []), chain.chain_id],
  }
}
