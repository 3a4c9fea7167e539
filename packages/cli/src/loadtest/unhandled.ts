/** Asking the store what it knows of events that nobody handled. */
import type { Biography } from '@signalbox/contracts'
import type { Unhandled } from './report.ts'
import type { Workload } from './workload.ts'

/** Beyond, the rest counts as lost without being asked about. */
const MAX_ASKED = 1_000
const MAX_EXAMPLES = 3

export interface Biographies {
  get(accountKey: string, eventId: string): Promise<Biography | undefined>
}

export async function explainUnhandled(
  indexes: readonly number[],
  { workload, biographies }: { workload: Workload; biographies: Biographies },
): Promise<Unhandled> {
  const unhandled: Unhandled = { unmatched: 0, deadLettered: 0, lost: 0, examples: [] }
  for (const [order, index] of indexes.entries()) {
    const eventId = workload.eventIdOf(index)
    const biography =
      order < MAX_ASKED ? await biographies.get(workload.accountKeyOf(index), eventId) : undefined
    if (biography?.outcome === 'unmatched') unhandled.unmatched++
    else if (biography?.outcome === 'dead_lettered') unhandled.deadLettered++
    else {
      unhandled.lost++
      const known = biography ? biography.outcome : 'nothing known'
      if (unhandled.examples.length < MAX_EXAMPLES) {
        unhandled.examples.push(`${eventId} (${known})`)
      }
    }
  }
  return unhandled
}
