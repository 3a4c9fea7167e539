/** `signalbox conformance`: one line per rule as it is checked, and what it comes to. */
import { edgeConformance, type RuleResult, workerConformance } from '@signalbox/conformance'
import { CONFORMANCE_USAGE, conformancePlanOf } from './options.ts'

export interface ConformanceDeps {
  env: Readonly<Record<string, string | undefined>>
  stdout: { write(text: string): unknown }
  /** Ends the check after the rule at hand. */
  signal: AbortSignal
}

/** Resolves with the exit code. Throws `UsageError`, and `UnavailableError` when what is needed for it cannot be reached. */
export async function conformance(
  args: readonly string[],
  { env, stdout, signal }: ConformanceDeps,
): Promise<number> {
  const plan = conformancePlanOf(args, env)
  if (!plan) {
    stdout.write(`${CONFORMANCE_USAGE}\n`)
    return 0
  }
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const results = 'edge' in plan ? edgeConformance(plan.edge) : workerConformance(plan.worker)
  for await (const result of results) {
    counts[result.outcome] += 1
    stdout.write(`${plan.asJson ? JSON.stringify(result) : lineOf(result)}\n`)
    signal.throwIfAborted()
  }
  const { passed, failed, skipped } = counts
  if (!plan.asJson) stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`)
  return failed === 0 ? 0 : 1
}

function lineOf({ outcome, id, rule, detail }: RuleResult): string {
  const line = `${outcome.padEnd(7)} ${id}: ${rule}`
  return detail === undefined
    ? line
    : `${line}\n          ${detail.replaceAll('\n', '\n          ')}`
}
