/**
 * The queue of one handler: each delivery is a batch of invocations, and is acknowledged when the results of all of them
 * are confirmed.
 *
 * A batch with something bad in it, or one that was delivered before, is split into messages of one, so that only the
 * bad (or poisonous) invocation becomes a dead letter. An invocation that is delivered again while it is still in hand here (the
 * connection was lost meanwhile) joins the one in hand; one that may have been done already, because it was delivered or sent
 * before, is answered with what is stored of it, when there is something.
 */
import {
  type Broker,
  type Consumer,
  type DeadLetterReason,
  type Delivery,
  readAs,
  readJson,
  type Settlement,
} from '@signalbox/broker'
import {
  attemptIdOf,
  type HandlerInvocation,
  invocationSchema,
  isPlainInvocation,
  LIMITS,
  type StepResult,
  uuidv7,
} from '@signalbox/contracts'
import { AppError, InvalidInputError, type Log } from '@signalbox/kit'
import type { ProgressStore } from '@signalbox/store'
import { type ExecutionDeps, executeInvocation } from './execution.ts'
import { createGate } from './gate.ts'
import type { Handler } from './handler.ts'
import { whileUnavailable } from './patience.ts'
import type { ResultOutbox } from './result-outbox.ts'
import { settlementOf } from './settlement.ts'
import type { WorkerMetrics } from './worker-metrics.ts'

export interface HandlerConsumerOptions {
  handler: Handler
  /** Invocations at work at once, and deliveries in hand. */
  concurrency: number
}

export interface HandlerConsumerDeps extends ExecutionDeps {
  broker: Pick<Broker, 'topology' | 'declare' | 'consume' | 'publish'>
  outbox: ResultOutbox
  progress: Pick<ProgressStore, 'outcome'>
  log: Log
  metrics: WorkerMetrics | undefined
}

/** Declares the handler's queue and consumes it. */
export async function consumeInvocations(
  { handler, concurrency }: HandlerConsumerOptions,
  deps: HandlerConsumerDeps,
): Promise<Consumer> {
  const { broker, outbox, progress, log, metrics, shutdown, patienceMs } = deps
  const queue = broker.topology.handlerQueue(handler.name)
  const gate = createGate(concurrency)
  const inHand = new Map<string, Promise<StepResult>>()

  await broker.declare(queue)
  return broker.consume(queue.name, { prefetch: concurrency }, async (delivery) => {
    const startedAtMs = performance.now()
    const outcome = await settle(delivery)
    const { settlement, ...facts } = outcome
    metrics?.deliveries.inc({ handler: handler.name, settlement: settlement.kind })
    const line = {
      handler: handler.name,
      settlement: settlement.kind,
      ...facts,
      ...(settlement.kind === 'dead_letter' ? { code: settlement.reason.code } : {}),
      redelivered: delivery.redelivered,
      durationMs: Math.round(performance.now() - startedAtMs),
    }
    if (settlement.kind === 'ack' && !facts.failed) log.debug(line, 'delivery.settled')
    else log.warn(line, 'delivery.settled')
    return settlement
  })

  async function settle(
    delivery: Delivery,
  ): Promise<{ settlement: Settlement; invocations?: number; failed?: number; split?: true }> {
    let known: Omit<DeadLetterReason, 'code' | 'message'> = { about: 'invocation' }
    try {
      const items = itemsOf(delivery)
      const batch = delivery.redelivered && items.length > 1 ? undefined : readable(items, delivery)
      if (!batch) {
        await split(items, delivery)
        return { settlement: { kind: 'ack' }, invocations: items.length, split: true }
      }
      if (batch.length === 1) known = identityOf(batch[0]!)
      const { replyTo = broker.topology.queue.dispatcherResults } = delivery.properties
      const results = await allOf(batch.map((invocation) => perform(invocation, replyTo)))
      const failed = results.filter(({ status }) => status === 'failed').length
      return { settlement: { kind: 'ack' }, invocations: batch.length, failed }
    } catch (error) {
      return { settlement: settlementOf(error, known) }
    }
  }

  /** Undefined: something in a batch of several is bad. Throws what is wrong with a single one. */
  function readable(
    items: readonly unknown[],
    delivery: Delivery,
  ): HandlerInvocation[] | undefined {
    try {
      return items.map((item) => invocationOf(item, handler, delivery))
    } catch (error) {
      if (items.length > 1) return undefined
      throw error
    }
  }

  async function split(items: readonly unknown[], delivery: Delivery): Promise<void> {
    const { replyTo } = delivery.properties
    await allOf(
      items.map((item) =>
        whileUnavailable(
          () =>
            broker.publish({
              exchange: '',
              routingKey: queue.name,
              body: Buffer.from(JSON.stringify([counted(item, delivery)])),
              properties: {
                messageId: uuidv7(),
                type: 'HandlerInvocation',
                ...(replyTo === undefined ? {} : { replyTo }),
              },
            }),
          { patienceMs, signal: shutdown },
        ),
      ),
    )
  }

  /** Executes and sends the result; resolves after its confirm. */
  function perform(invocation: HandlerInvocation, replyTo: string): Promise<StepResult> {
    const id = attemptIdOf(invocation.context, invocation.attempt)
    const underWay = inHand.get(id)
    if (underWay) return underWay
    const performed = gate(async () => (await answered(invocation)) ?? (await execute(invocation)))
      .then(async (result) => {
        await outbox.send(result, replyTo)
        return result
      })
      .finally(() => inHand.delete(id))
    inHand.set(id, performed)
    return performed
  }

  async function execute(invocation: HandlerInvocation): Promise<StepResult> {
    const result = await executeInvocation(handler, invocation, deps)
    metrics?.invocations.inc({ handler: handler.name, status: result.status })
    metrics?.duration.observe({ handler: handler.name }, result.duration_ms / 1_000)
    return result
  }

  /** What is stored of an invocation that may have been done already. */
  async function answered(invocation: HandlerInvocation): Promise<StepResult | undefined> {
    const { invocation_id, attempt, context, repeat = false, redeliveries = 0 } = invocation
    if (!repeat && redeliveries === 0) return undefined
    const { account_key, event_id } = context.event
    const outcome = await whileUnavailable(
      () => progress.outcome(account_key, event_id, attemptIdOf(context, attempt)),
      { patienceMs, signal: shutdown },
    )
    if (outcome === undefined) return undefined
    metrics?.repeats.inc({ handler: handler.name })
    return { ...(outcome as StoredAnswer), invocation_id, attempt, context }
  }
}

type StoredAnswer = Pick<
  StepResult,
  'status' | 'output' | 'error' | 'retry_after_ms' | 'duration_ms'
>

function itemsOf({ body }: Delivery): readonly unknown[] {
  const items = readJson(body, 'a batch of invocations', LIMITS.maxBatchBytes)
  if (Array.isArray(items) && items.length >= 1 && items.length <= LIMITS.maxBatchItems)
    return items
  throw new InvalidInputError(
    `a batch of invocations must be an array of 1 to ${LIMITS.maxBatchItems}`,
    { code: 'SB_INVALID_MESSAGE' },
  )
}

/** With its deliveries so far, which whoever takes it next cannot see. */
function counted(item: unknown, { deliveryCount }: Delivery): unknown {
  if (deliveryCount === 0 || typeof item !== 'object' || item === null) return item
  const { redeliveries } = item as Partial<HandlerInvocation>
  const before = typeof redeliveries === 'number' ? redeliveries : 0
  return { ...item, redeliveries: before + deliveryCount }
}

/** Checked and counted, with its context as it was sent: that is echoed. */
function invocationOf(item: unknown, handler: Handler, delivery: Delivery): HandlerInvocation {
  const sent = counted(item, delivery)
  const isPlain = isPlainInvocation(sent)
  const invocation = isPlain ? sent : readAs(invocationSchema, sent, 'an invocation')
  if (invocation.handler === handler.name) {
    return isPlain ? sent : { ...invocation, context: (item as HandlerInvocation).context }
  }
  throw new AppError(
    'SB_UNKNOWN_HANDLER',
    `the invocation is for handler "${invocation.handler}", this queue is of "${handler.name}"`,
    { retryable: false },
  )
}

function identityOf(invocation: HandlerInvocation): Omit<DeadLetterReason, 'code' | 'message'> {
  const { event, run_id, chain, step_index } = invocation.context
  const stepId = chain.steps[step_index]?.id
  return {
    about: 'invocation',
    account_key: event.account_key,
    event_id: event.event_id,
    run_id,
    chain_id: chain.chain_id,
    ...(stepId === undefined ? {} : { step_id: stepId }),
    handler: invocation.handler,
    attempts: invocation.attempt,
  }
}

/** All fulfilled, or the first error after all have ended: nothing of a delivery goes on after it is settled. */
async function allOf<Value>(promises: readonly Promise<Value>[]): Promise<Value[]> {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}
