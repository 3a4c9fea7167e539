/** A queue that a worker answers to, with what arrived in it. */
import type { Json, JsonObject } from '@signalbox/contracts'
import type { Channel, ConsumeMessage } from 'amqplib'
import { Violation } from './rule.ts'

/** One message that a worker sent. */
export interface Answer {
  readonly body: Buffer
  readonly properties: ConsumeMessage['properties']
  /** The objects of the array that it should be; `fault`: it is something else. */
  readonly results: readonly JsonObject[]
  readonly fault?: string
}

export interface ReplyQueue {
  readonly name: string
  readonly answers: readonly Answer[]
  /** The results of one invocation so far. */
  of(invocationId: string): JsonObject[]
  /** Resolves with the first result of each, in the order of the identities. Throws `Violation` when they did not come in time. */
  resultsOf(invocationIds: readonly string[], timeoutMs: number): Promise<JsonObject[]>
}

/** Consumes a queue of this connection's own. `onAnswer` is told of every message. */
export async function consumeReplies(
  channel: Channel,
  name: string,
  onAnswer: (answer: Answer) => void,
): Promise<ReplyQueue> {
  const answers: Answer[] = []
  const byInvocation = new Map<string, JsonObject[]>()
  const waiting = new Set<() => void>()

  const take = (message: ConsumeMessage | null) => {
    if (!message || message.properties.type === FILLER) return
    const answer = answerOf(message)
    answers.push(answer)
    onAnswer(answer)
    for (const result of answer.results) {
      const id = String(result.invocation_id)
      byInvocation.set(id, [...(byInvocation.get(id) ?? []), result])
    }
    for (const look of waiting) look()
  }
  await channel.consume(name, take, { noAck: true })

  const of = (id: string) => byInvocation.get(id) ?? []
  return {
    name,
    answers,
    of,
    async resultsOf(ids, timeoutMs) {
      const missing = () => ids.filter((id) => of(id).length === 0).length
      const complete = await new Promise<boolean>((resolve) => {
        const end = (isComplete: boolean) => {
          clearTimeout(timer)
          waiting.delete(look)
          resolve(isComplete)
        }
        const timer = setTimeout(() => end(false), timeoutMs)
        const look = () => {
          if (missing() === 0) end(true)
        }
        waiting.add(look)
        look()
      })
      if (complete) return ids.map((id) => of(id)[0]!)
      throw new Violation(
        `${missing()} of ${ids.length} invocations were not answered within ${timeoutMs} ms`,
      )
    },
  }
}

/** The type of the messages that only fill a queue. */
export const FILLER = 'Filler'

function answerOf({ content: body, properties }: ConsumeMessage): Answer {
  const parsed = parsedOf(body)
  if (!Array.isArray(parsed)) {
    return { body, properties, results: [], fault: 'an answer is not a JSON array' }
  }
  const results = parsed.filter((item) => typeof item === 'object' && item !== null)
  const answer = { body, properties, results: results as JsonObject[] }
  return results.length === parsed.length
    ? answer
    : { ...answer, fault: 'an answer has an item that is no object' }
}

function parsedOf(body: Buffer): Json | undefined {
  try {
    return JSON.parse(body.toString()) as Json
  } catch {
    return undefined
  }
}
