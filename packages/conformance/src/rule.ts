/** A rule that is checked, and what comes of it. */

export interface RuleResult<Id extends string = string> {
  id: Id
  rule: string
  outcome: 'passed' | 'failed' | 'skipped'
  /** Why it failed or was skipped. */
  detail?: string
  duration_ms: number
}

/** A rule is not kept; the message says what happened instead. */
export class Violation extends Error {}

/** The rule cannot be checked here; the message says what is missing. */
export class NotChecked extends Error {}

/** Throws what `check` throws when that is no verdict. */
export async function resultOf<Id extends string>(
  id: Id,
  rule: string,
  check: () => Promise<void>,
): Promise<RuleResult<Id>> {
  const startedAtMs = performance.now()
  const verdict = (outcome: RuleResult['outcome'], detail?: string): RuleResult<Id> => ({
    id,
    rule,
    outcome,
    ...(detail === undefined ? {} : { detail }),
    duration_ms: Math.round(performance.now() - startedAtMs),
  })
  try {
    await check()
    return verdict('passed')
  } catch (error) {
    if (error instanceof NotChecked) return verdict('skipped', error.message)
    if (error instanceof Violation) return verdict('failed', error.message)
    throw error
  }
}
