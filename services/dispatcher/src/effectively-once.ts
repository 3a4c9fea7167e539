/**
 * Doing a piece of work effectively once, though its message may come several times.
 *
 * | progress of the work      | what is done                                                                                  |
 * | ------------------------- | --------------------------------------------------------------------------------------------- |
 * | nobody began it           | it is begun with its plan, performed, and done                                                |
 * | somebody began it, and this message is the same again (redelivered, or held through an outage) | it is performed again, by the plan of the first time |
 * | somebody began it, and this message is another one of the same work | waits until it is done; after 15 s whoever began it is taken for dead, and it is performed again |
 * | done                      | nothing: a duplicate                                                                          |
 *
 * Work that has no effects but what the store is told is begun and done in one step. Other work is marked as done after all that it led to is confirmed and told. So what is done was not lost, and what was begun and not done may
 * have had effects already: its invocations then say `repeat`.
 */
import type { BiographyFact } from '@signalbox/contracts'
import type { ProgressStore } from '@signalbox/store'

/** Longer than a publish may wait for its confirm. */
const PATIENCE_MS = 15_000
const POLL_MS = 50

export interface Work<Plan> {
  accountKey: string
  eventId: string
  /** Its name among the work on the event. */
  name: string
  plan: Plan
  /** What the biography is told when the work is begun. */
  facts?: readonly BiographyFact[]
  /** What it comes to, when nothing has to be performed for that. */
  foregone?: Performed | undefined
  /** The message came before: to somebody who did not settle it, or to us, who could not. */
  isRepeated: boolean
}

export interface EffectivelyOnceDeps {
  progress: Pick<ProgressStore, 'begin' | 'finish' | 'complete'>
  /** Resolves after so many milliseconds. */
  pause(delayMs: number): Promise<void>
}

export interface Performed {
  /** Kept. */
  outcome: unknown
  /** What the biography is told when the work is done. */
  facts: readonly BiographyFact[]
}

/** `foregone`, `duplicate`: `perform` was not called; it had nothing to do, or was called before. */
export async function effectivelyOnce<Plan>(
  work: Work<Plan>,
  perform: (plan: Plan, options: { repeat: boolean }) => Promise<Performed>,
  { progress, pause }: EffectivelyOnceDeps,
): Promise<'performed' | 'foregone' | 'duplicate'> {
  const { accountKey, eventId, name, plan, facts, foregone, isRepeated } = work
  const begin = () =>
    foregone
      ? progress.complete(accountKey, eventId, name, foregone.outcome, foregone.facts)
      : progress.begin(accountKey, eventId, name, plan, facts)

  let known = await begin()
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += POLL_MS) {
    if (known.state !== 'begun' || isRepeated) break
    await pause(POLL_MS)
    known = await begin()
  }
  if (known.state === 'done') return 'duplicate'
  if (foregone && known.state === 'new') return 'foregone'
  const performed =
    known.state === 'begun'
      ? await perform(known.plan as Plan, { repeat: true })
      : await perform(plan, { repeat: isRepeated })
  await progress.finish(accountKey, eventId, name, performed.outcome, performed.facts)
  return 'performed'
}
