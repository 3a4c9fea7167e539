/** How a worker runs: how much it takes in hand, and how it ends. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Check, requireAnswer } from '../check.ts'
import { NotChecked, Violation } from '../rule.ts'

const MAX_PREFETCH = 1_000
const BURST = 200
/** As long as processes of Signalbox may take by default. */
const MAX_DRAIN_MS = 25_000

export const boundsPrefetch: Check = async ({ connections }) => {
  if (!connections) throw new NotChecked('no management URL was given')
  for (const { prefetch, acknowledges } of await connections.consumers()) {
    if (!acknowledges) throw new Violation('the consumer leaves acknowledging to the broker')
    if (prefetch < 1) throw new Violation('the consumer takes without bound: its prefetch is 0')
    if (prefetch > MAX_PREFETCH) throw new Violation(`the prefetch is ${prefetch}`)
  }
}

export const finishesOnSigterm: Check = async (context) => {
  const { bench, worker } = context
  if (!worker) throw new NotChecked('no command was given, so the worker is not started here')
  await requireAnswer(context)
  const replies = await bench.replies()
  const burst = Array.from({ length: BURST }, () => bench.invocation())
  const ids = burst.map(({ invocation_id }) => invocation_id)
  await Promise.all(burst.map((invocation) => bench.send([invocation], replies.name)))
  await replies.resultsOf(ids.slice(0, 1), bench.options.timeoutMs)

  worker.signal('SIGTERM')
  const end = new AbortController()
  const ending = await Promise.race([worker.ended, sleep(MAX_DRAIN_MS, undefined, end)])
  end.abort()
  if (ending === undefined) throw new Violation(`it still runs ${MAX_DRAIN_MS} ms after SIGTERM`)
  if (ending !== 'exit code 0') {
    throw new Violation(`it ended with ${ending}:\n${worker.output()}`.trim())
  }
  const left = new Set((await bench.drain()).map((item) => (item as Identified)?.invocation_id))
  await replies.resultsOf(
    ids.filter((id) => !left.has(id)),
    bench.options.timeoutMs,
  )
  const both = ids.filter((id) => left.has(id) && replies.of(id).length > 0).length
  if (both > 0) throw new Violation(`${both} of ${BURST} were answered and given back as well`)
}

type Identified = { invocation_id?: unknown } | undefined
