/** What a worker answers, and where. */
import type { HandlerInvocation, Json, JsonObject } from '@signalbox/contracts'
import { type Check, requireAnswer, requireConsumer } from '../check.ts'
import { differenceOf } from '../difference.ts'
import { hardToEcho } from '../invocations.ts'
import type { ReplyQueue } from '../reply-queue.ts'
import { NotChecked, Violation } from '../rule.ts'

const BATCH = 8

export const consumesQueue: Check = async (context) => {
  await requireConsumer(context)
  const { bench } = context
  await bench.send([bench.invocation()], (await bench.replies()).name)
}

export const answersSingle: Check = async ({ bench }) => {
  const replies = await bench.replies()
  const invocation = bench.invocation()
  await bench.send([invocation], replies.name)
  const [result] = await replies.resultsOf([invocation.invocation_id], bench.options.timeoutMs)
  if (result?.status === 'succeeded') return
  const error = result?.error === undefined ? '' : `: ${JSON.stringify(result.error)}`
  throw new Violation(`the status is ${JSON.stringify(result?.status)}, not "succeeded"${error}`)
}

export const answersBatch: Check = async (context) => {
  const { bench } = context
  const replies = await bench.replies()
  const batch = Array.from({ length: BATCH }, () => bench.invocation())
  const ids = batch.map(({ invocation_id }) => invocation_id)
  await bench.send(batch, replies.name)
  await replies.resultsOf(ids, bench.options.timeoutMs)
  // What was answered twice has been by now: the worker has gone on to the next message.
  await requireAnswer(context)
  const twice = ids.filter((id) => replies.of(id).length > 1).length
  if (twice > 0) throw new Violation(`${twice} of ${BATCH} were answered more than once`)
}

export const echoesIdentity: Check = async ({ bench }) => {
  const replies = await bench.replies()
  const foreign = { invocation_id: `schlüssel/${bench.invocation().invocation_id}` }
  for (const identity of [{ attempt: 3 }, { attempt: 50 }, foreign]) {
    const sent = bench.invocation(identity)
    await bench.send([sent], replies.name)
    const [result] = await resultsOf([sent], replies, bench.options.timeoutMs)
    if (result?.attempt === sent.attempt) continue
    throw new Violation(`attempt ${sent.attempt} came back as ${JSON.stringify(result?.attempt)}`)
  }
}

export const echoesContext: Check = async ({ bench }) => {
  const replies = await bench.replies()
  const { id, body } = hardToEcho(bench.options)
  await bench.send(body, replies.name)
  const [result] = await replies.resultsOf([id], bench.options.timeoutMs)
  const [sent] = JSON.parse(body) as [{ context: Json }]
  const difference = differenceOf(sent.context, result?.context, 'context')
  if (difference !== undefined) throw new Violation(difference)
}

export const honoursReplyTo: Check = async ({ bench }) => {
  const places = await Promise.all([bench.replies(), bench.replies()])
  const sent = places.map(() => bench.invocation())
  for (const [index, place] of places.entries()) await bench.send([sent[index]!], place.name)
  for (const [index, place] of places.entries()) {
    await resultsOf([sent[index]!], place, bench.options.timeoutMs)
  }
}

export const reportsBadConfig: Check = async (context) => {
  const { bench, badConfig } = context
  if (!badConfig) throw new NotChecked('no bad config was given')
  const replies = await bench.replies()
  const invocation = bench.invocation({ config: badConfig })
  await bench.send([invocation], replies.name)
  const [result] = await resultsOf([invocation], replies, bench.options.timeoutMs)
  if (result?.status !== 'failed') {
    throw new Violation(`the status is ${JSON.stringify(result?.status)}, not "failed"`)
  }
  const { code, message, retryable } = (result.error ?? {}) as JsonObject
  if (typeof code !== 'string' || typeof message !== 'string' || retryable !== false) {
    throw new Violation(
      `the error has code ${JSON.stringify(code)}, message ${JSON.stringify(message)}, retryable ${JSON.stringify(retryable)}`,
    )
  }
  await requireAnswer(context)
}

function resultsOf(
  sent: readonly HandlerInvocation[],
  replies: ReplyQueue,
  timeoutMs: number,
): Promise<JsonObject[]> {
  return replies.resultsOf(
    sent.map(({ invocation_id }) => invocation_id),
    timeoutMs,
  )
}
