/** What a biography is told of a step that was decided without a worker. */
import type { BiographyFact, RunContext } from '@signalbox/contracts'
import type { PassedStep } from './run.ts'

/** It took no time. `attempt` is 1 unless it was tried before it turned out that no worker can be asked. */
export function passedFact(
  { run_id }: Pick<RunContext, 'run_id'>,
  step: PassedStep,
  at: string,
  attempt = 1,
): BiographyFact {
  return { fact: 'step', at, run_id, attempt, duration_ms: 0, ...step }
}
