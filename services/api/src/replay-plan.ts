/** What replaying a dead letter would send, decided before anything is sent. Pure; throws `ConflictError` for what cannot be replayed. */
import type { OutgoingMessage } from '@signalbox/broker'
import { type Move, passedFact, resumeRun } from '@signalbox/chains'
import {
  type BiographyFact,
  type DeadLetterSummary,
  derivedUuid,
  type HandlerInvocation,
  inTry,
  type JsonObject,
  type KeptDeadLetter,
  type ReplayKind,
  type RunContext,
  runContextIn,
  type StoredChain,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { ConflictError } from '@signalbox/kit'

export type ReplayRequest =
  | { kind: 'failed_step' }
  /** `chain`: as it is now; undefined: it was deleted. */
  | { kind: 'start'; chain: StoredChain | undefined }
  | { kind: 'edited_config'; config: JsonObject }
  /** Complete but for its identity, which follows from the dead letter. */
  | { kind: 'edited_event'; event: VumiApiEvent }

export interface ReplayPlan {
  replay: NonNullable<DeadLetterSummary['replay']>
  send:
    | { what: 'invocation'; invocation: HandlerInvocation }
    | { what: 'event'; event: VumiApiEvent }
    | { what: 'message'; message: OutgoingMessage }
    /** Every step that is left has a condition that is false. */
    | { what: 'nothing' }
  /** For the biography of `eventId`. */
  facts: BiographyFact[]
  eventId: string | undefined
}

/** The run of a dead letter that ended one. */
export function runOf({ about, body }: KeptDeadLetter): RunContext | undefined {
  return about === 'command' ? undefined : runContextIn(body)
}

/** What is no part of a run is published again as it was, wherever from it is asked to go on. */
export function replayKindOf(letter: KeptDeadLetter, asked: ReplayKind): ReplayKind {
  const isEdited = asked === 'edited_event' || asked === 'edited_config'
  return isEdited || runOf(letter) ? asked : 'message'
}

export function planReplay(
  letter: KeptDeadLetter,
  request: ReplayRequest,
  nowMs: number = Date.now(),
): ReplayPlan {
  const at = new Date(nowMs).toISOString()
  const run = runOf(letter)
  if (request.kind === 'edited_event') return editedEvent(letter, request.event, at)
  if (request.kind === 'edited_config') {
    return resumed(letter, withConfig(requireRun(run), request.config), request.kind, at)
  }
  if (!run) return message(letter, at)
  if (request.kind === 'start') return restarted(letter, run, request.chain, at)
  return resumed(letter, run, request.kind, at)
}

function resumed(
  letter: KeptDeadLetter,
  run: RunContext,
  kind: 'failed_step' | 'edited_config',
  at: string,
): ReplayPlan {
  const replayed: BiographyFact = {
    ...replayedFact(letter, kind, at),
    run_id: run.run_id,
  }
  const move = resumeRun({ ...run, replay_of: letter.dead_letter_id })
  return moved(move, { kind, run_id: run.run_id }, replayed, at)
}

function restarted(
  letter: KeptDeadLetter,
  run: RunContext,
  chain: StoredChain | undefined,
  at: string,
): ReplayPlan {
  if (!chain) {
    throw new ConflictError(
      `the chain "${run.chain.chain_id}" was deleted, so its run cannot start again; it can go on from the failed step`,
    )
  }
  const { chain_id, name, version, steps } = chain
  const run_id = derivedUuid('replayed_run', run.run_id, letter.dead_letter_id)
  const { error: _error, ...fresh } = run
  const move = resumeRun({
    ...fresh,
    run_id,
    results: {},
    chain: { chain_id, name, version, steps },
    step_index: 0,
    replay_of: letter.dead_letter_id,
  })
  const replayed: BiographyFact = {
    ...replayedFact(letter, 'start', at),
    run_id: run.run_id,
    new_run: { chain_id, name, version, run_id },
  }
  return moved(move, { kind: 'start', run_id }, replayed, at)
}

function moved(
  move: Move,
  replay: ReplayPlan['replay'],
  replayed: BiographyFact,
  at: string,
): ReplayPlan {
  return { replay, ...planMove(move, replayed, at) }
}

/** What the first move of a run that somebody asked for sends and tells, after the fact that says who asked. */
export function planMove(move: Move, asked: BiographyFact, at: string): Omit<ReplayPlan, 'replay'> {
  if (move.kind === 'end' && move.outcome === 'dead_lettered') {
    const { step, error } = move
    throw new ConflictError(
      `a replay would fail at once, at step "${step.id}": ${error.message} (${error.code})`,
    )
  }
  const context = move.kind === 'end' ? move.context : move.invocation.context
  const { run_id, event } = context
  const facts: BiographyFact[] = move.passed.map((step) => passedFact(context, step, at))
  if (move.kind === 'end') facts.push({ fact: 'run_ended', at, run_id, outcome: 'succeeded' })
  return {
    facts: [asked, ...inTry(context, facts)],
    eventId: event.event_id,
    // n.b. It may have run and its answer been lost: `repeat` has the worker look before it runs again.
    send:
      move.kind === 'end'
        ? { what: 'nothing' }
        : { what: 'invocation', invocation: { ...move.invocation, repeat: true } },
  }
}

/** As it was sent, to where it was. */
function message(letter: KeptDeadLetter, at: string): ReplayPlan {
  const {
    dead_letter_id,
    event_id,
    run_id,
    exchange,
    routing_key: routingKey,
    about,
    body,
  } = letter
  if ('base64' in body && body.cut_from_bytes !== undefined) {
    throw new ConflictError(
      `only the beginning of the message of ${body.cut_from_bytes} bytes was kept; it cannot be replayed`,
    )
  }
  const replayed = replayedFact(letter, 'message', at)
  return {
    replay: { kind: 'message', ...(event_id === undefined ? {} : { event_id }) },
    facts: [run_id === undefined ? replayed : { ...replayed, run_id }],
    eventId: event_id,
    send: {
      what: 'message',
      message: {
        exchange,
        routingKey,
        body:
          'json' in body
            ? Buffer.from(JSON.stringify(body.json))
            : Buffer.from(body.base64, 'base64'),
        properties: { messageId: event_id ?? dead_letter_id, type: MESSAGE_TYPES[about] },
      },
    },
  }
}

const MESSAGE_TYPES: Readonly<Record<KeptDeadLetter['about'], string>> = {
  event: 'VumiApiEvent',
  command: 'VumiApiCommand',
  invocation: 'HandlerInvocation',
  result: 'StepResult',
  message: 'Message',
}

function editedEvent(letter: KeptDeadLetter, edited: VumiApiEvent, at: string): ReplayPlan {
  const event_id = derivedUuid('edited_event', letter.dead_letter_id)
  const replayed: BiographyFact = {
    ...replayedFact(letter, 'edited_event', at),
    ...(letter.run_id === undefined ? {} : { run_id: letter.run_id }),
    new_event_id: event_id,
  }
  return {
    replay: { kind: 'edited_event', event_id },
    facts: [replayed],
    eventId: letter.event_id,
    send: { what: 'event', event: { ...edited, event_id, replay_of: letter.dead_letter_id } },
  }
}

function replayedFact({ dead_letter_id }: KeptDeadLetter, kind: ReplayKind, at: string) {
  return { fact: 'replayed', at, dead_letter_id, kind } as const
}

export function requireRun(run: RunContext | undefined): RunContext {
  if (run) return run
  throw new ConflictError('the dead letter is not of a run, so there is no config to edit')
}

/** The run, with another config for the step that it is at. */
export function withConfig(run: RunContext, config: JsonObject): RunContext {
  const steps = run.chain.steps.map((step, index) =>
    index === run.step_index ? { ...step, config } : step,
  )
  return { ...run, chain: { ...run.chain, steps } }
}
