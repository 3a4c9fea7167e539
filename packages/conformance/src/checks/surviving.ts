/** What a worker must get over: bad messages, messages that come again, answers that the broker refuses, lost connections. */
import { waitFor } from '@signalbox/private-brokers'
import { type Check, type CheckContext, requireAnswer } from '../check.ts'
import { NotChecked, Violation } from '../rule.ts'

/** After this a worker has tried to answer, if it ever does: ten times as long as it took when nothing was in its way. */
const PATIENCE_FACTOR = 10
const MIN_PATIENCE_MS = 300

export const survivesNotJson: Check = (context) =>
  survives(context, ['{"oops', '', 'hello', Buffer.from([0xff, 0xfe, 0x00])])

export const survivesWrongShape: Check = async (context) => {
  const { context: _context, ...withoutContext } = context.bench.invocation()
  const bodies = [{}, [], 'text', 7, null, [null], [[]], [{ hello: 1 }], [withoutContext]]
  await survives(
    context,
    bodies.map((body) => JSON.stringify(body)),
  )
}

async function survives(context: CheckContext, bodies: readonly (string | Buffer)[]) {
  const { bench } = context
  const replies = await bench.replies()
  for (const body of bodies) await bench.send(body, replies.name)
  await requireAnswer(context)
}

export const answersRedelivered: Check = async ({ bench }) => {
  const replies = await bench.replies()
  const single = bench.invocation()
  const batch = [bench.invocation(), bench.invocation(), bench.invocation()]
  await bench.giveBack(2, async () => {
    await bench.send([single], replies.name)
    await bench.send(batch, replies.name)
  })
  const ids = [single, ...batch].map(({ invocation_id }) => invocation_id)
  await replies.resultsOf(ids, bench.options.timeoutMs)
}

/** n.b. the broker refuses the answer as if it had no room: whoever does not wait for the confirm does not notice. */
export const confirmsBeforeAck: Check = async (context) => {
  const { bench } = context
  const patienceMs = await usualAnswerMs(context)
  const closed = await bench.closedReplies()
  const invocation = bench.invocation()
  await bench.send([invocation], closed.name)
  await taken(context)
  await new Promise((resolve) => setTimeout(resolve, patienceMs))
  const replies = await closed.open()
  await replies.resultsOf([invocation.invocation_id], bench.options.timeoutMs)
}

export const survivesConnectionLoss: Check = async (context) => {
  const { bench, connections } = context
  if (!connections) throw new NotChecked('no management URL was given, so no connection can be cut')
  const closed = await bench.closedReplies()
  const invocation = bench.invocation()
  const consumers = await connections.consumers()
  await bench.send([invocation], closed.name)
  await taken(context)
  await connections.cut(consumers)
  const replies = await closed.open()
  await replies.resultsOf([invocation.invocation_id], bench.options.timeoutMs)
  await requireAnswer(context)
}

async function usualAnswerMs(context: CheckContext): Promise<number> {
  const startedAtMs = performance.now()
  await requireAnswer(context)
  return Math.max(MIN_PATIENCE_MS, PATIENCE_FACTOR * (performance.now() - startedAtMs))
}

/** Resolves when the worker has taken all that was sent. */
async function taken({ bench }: CheckContext): Promise<void> {
  const { timeoutMs } = bench.options
  await waitFor(async () => (await bench.depth())?.ready === 0, {
    what: 'the worker to take the message',
    timeoutMs,
  }).catch((error: Error) => {
    throw new Violation(error.message)
  })
}
