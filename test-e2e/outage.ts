/** An outage in the middle of a load: what the processes say meanwhile, when they are back, and that nothing confirmed was lost. */
import { waitFor } from '@signalbox/testkit'
import { expect } from 'vitest'
import { startLoad } from './load.ts'
import { type Instance, putChain, request, type System } from './system.ts'

const RATE_PER_SECOND = 50
/** So many confirmed events before an outage and after it show that the load goes on. */
const ENOUGH = 20
/** From the end of an outage until everybody is ready. */
const BACK_WITHIN_MS = 5_000
const LOOKS_AT_ONCE = 50
/** That one process may log over one outage, however much comes in meanwhile. */
const MAX_LINES = 40

export interface Bed {
  system: System
  /** Where the load publishes; not what the outage is about, if it can be helped. */
  amqpUrl: string
  namespace: string
}

export interface Outage {
  /** Unique within the bed: event_ids begin with it. */
  name: string
  begin(): Promise<unknown>
  /** Resolves when the outage has shown all that it should; rejects when it does not. */
  meanwhile?(): Promise<unknown>
  end(): Promise<unknown>
}

/** Saves the chain that the load is for: two steps, both of which write to Redis. */
export async function putLoadChain(system: System): Promise<void> {
  const config = { msisdn: '+27820000001', name: 'Ada' }
  await putChain(system.api, 'demo', 'two-steps', {
    name: 'Two steps',
    trigger: { conversation_type: 'load', event_type: 'tick' },
    steps: [
      { id: 'first', handler: 'create_contact', config },
      { id: 'second', handler: 'create_contact', config },
    ],
  })
}

export async function throughAnOutage(bed: Bed, outage: Outage): Promise<void> {
  const { system } = bed
  const load = startLoad({
    amqpUrl: bed.amqpUrl,
    namespace: bed.namespace,
    ratePerSecond: RATE_PER_SECOND,
    eventOf: (index) => loadEvent(`${outage.name}-${index}`),
  })
  const marks: ReturnType<typeof markOf>[] = []
  const grown = () => {
    const goal = load.confirmed.size + ENOUGH
    return waitFor(() => load.confirmed.size > goal, { what: 'the load to go on' })
  }
  try {
    await grown()
    marks.push(...system.all.map((instance) => markOf(instance)))
    await outage.begin()
    try {
      await outage.meanwhile?.()
    } finally {
      await outage.end()
    }
    const endedAtMs = performance.now()
    await system.ready(BACK_WITHIN_MS)
    expect(performance.now() - endedAtMs, 'ready again').toBeLessThan(BACK_WITHIN_MS)
    await grown()
  } finally {
    await load.stop()
  }
  await handled(system, load.confirmed)
  for (const mark of marks) mark.requireFewLines()
}

export function loadEvent(eventId: string) {
  return {
    event_id: eventId,
    account_key: 'demo',
    conversation_key: 'c',
    conversation_type: 'load',
    event_type: 'tick',
    event_data: {},
  }
}

/** Resolves when each of the instances is not ready for a reason that `says`. */
export async function notReady(instances: readonly Instance[], says: RegExp): Promise<void> {
  const pending = new Set(instances)
  await waitFor(
    async () => {
      for (const instance of pending) {
        const response = await fetch(`${instance.url}/readyz`)
        const text = await response.text()
        if (response.status !== 503 || !says.test(text)) return false
        pending.delete(instance)
      }
      return true
    },
    { what: `${instances.length} processes to say ${String(says)}` },
  )
}

/** Resolves when the runs of all of them have succeeded. */
export async function handled(system: System, eventIds: ReadonlySet<string>): Promise<void> {
  const missing = new Set(eventIds)
  let last: unknown
  const look = async (eventId: string) => {
    const { body } = await request('GET', `${system.api.url}/v1/accounts/demo/events/${eventId}`)
    if (body.outcome === 'succeeded') missing.delete(eventId)
    else last = body
  }
  await waitFor(
    async () => {
      await Promise.all([...missing].slice(0, LOOKS_AT_ONCE).map(look))
      return missing.size === 0
    },
    { what: `${eventIds.size} events to be handled`, timeoutMs: 60_000 },
  ).catch((error: Error) => {
    const example = JSON.stringify(last)?.slice(0, 2_000)
    throw new Error(`${error.message}; ${missing.size} are not, among them ${example}`)
  })
}

/** Where a process's log stands now. Its output is kept for 200 lines: a mark that is out of sight was followed by more. */
function markOf({ url, process }: Instance) {
  const last = process.output().trimEnd().split('\n').at(-1) ?? ''
  return {
    requireFewLines() {
      const lines = process.output().trimEnd().split('\n')
      const since = lines.slice(lines.lastIndexOf(last) + 1)
      if (since.length <= MAX_LINES) return
      throw new Error(
        `${url} logged ${since.length} lines or more over one outage:\n${since.join('\n')}`,
      )
    },
  }
}
