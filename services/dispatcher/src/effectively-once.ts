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
 * Work is marked as done after all that it led to is confirmed and told. So what is done was not lost, and what was begun and not done may
 * have had effects already: its invocations then say `repeat`.
 */
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
  /** The message came before: to somebody who did not settle it, or to us, who could not. */
  isRepeated: boolean
}

export interface EffectivelyOnceDeps {
  progress: Pick<ProgressStore, 'begin' | 'finish'>
  /** Resolves after so many milliseconds. */
  pause(delayMs: number): Promise<void>
}

/** `perform` resolves to the outcome, which is kept. `duplicate`: it was not called. */
export async function effectivelyOnce<Plan>(
  work: Work<Plan>,
  perform: (plan: Plan, options: { repeat: boolean }) => Promise<unknown>,
  { progress, pause }: EffectivelyOnceDeps,
): Promise<'performed' | 'duplicate'> {
  const { accountKey, eventId, name, plan, isRepeated } = work
  const begin = () => progress.begin(accountKey, eventId, name, plan)

  let known = await begin()
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += POLL_MS) {
    if (known.state !== 'begun' || isRepeated) break
    await pause(POLL_MS)
    known = await begin()
  }
  if (known.state === 'done') return 'duplicate'
  const outcome =
    known.state === 'begun'
      ? await perform(known.plan as Plan, { repeat: true })
      : await perform(plan, { repeat: isRepeated })
  await progress.finish(accountKey, eventId, name, outcome)
  return 'performed'
}
