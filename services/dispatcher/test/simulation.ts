/**
 * A broker, a store, dispatchers and workers in which everything that can come in another order does, and any process can die between any
 * two of its effects.
 *
 * A *turn* stands before and after each effect. Whoever waits for one is let go in an order that `choose` decides; a process that dies at
 * its turn goes no further, and what it had in hand is delivered again.
 */
import {
  createPublisher,
  createTopology,
  type Delivery,
  type OutgoingMessage,
} from '@signalbox/broker'
import { createChainIndex } from '@signalbox/chains'
import {
  attemptIdOf,
  type DeadLetter,
  type HandlerInvocation,
  type StepResult,
  type StoredChain,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { createMetrics, silentLog } from '@signalbox/kit'
import { createMemoryStore } from '@signalbox/store'
import { type EventHandlingDeps, handleEvent } from '../src/event-handling.ts'
import { createInvocationOutbox } from '../src/invocation-outbox.ts'
import { createDispatcherMetrics } from '../src/metrics.ts'
import { handleResults, type ResultHandlingDeps } from '../src/result-handling.ts'

export interface Scenario {
  chains: readonly StoredChain[]
  /** How often the attempts of a step fail before one succeeds. */
  failuresOf(stepId: string): number
  /** How often each attempt at a step is put off before its worker begins. */
  deferralsOf(stepId: string): number
  /** A whole number from 0 to below `bound`. */
  choose(bound: number): number
  /** How often a process may die. */
  crashes: number
  /** How often a worker sends a result a second time. */
  doubledResults: number
  /** How often the store loses all progress. */
  losses: number
}

class Crash extends Error {}

interface Process {
  isDead: boolean
  readonly inHand: Set<QueuedMessage>
}

interface QueuedMessage {
  message: OutgoingMessage
  deliveryCount: number
}

const PROCESSES = 2

export function simulate({ choose, ...scenario }: Scenario) {
  const topology = createTopology()
  const { biographies } = createMemoryStore()
  const waiting: (() => void)[] = []
  /** The attempts that workers have run, each time they ran one. */
  const effects: string[] = []
  const deadLetters: DeadLetter[] = []
  const failures: unknown[] = []
  const left = { ...scenario }
  let { progress } = createMemoryStore()

  const index = createChainIndex()
  for (const chain of scenario.chains) index.upsert(chain)
  const metrics = createDispatcherMetrics(createMetrics({ withProcessMetrics: false }))
  const newProcess = (): Process => ({ isDead: false, inHand: new Set() })
  const dispatchers = Array.from({ length: PROCESSES }, newProcess)
  const workers = Array.from({ length: PROCESSES }, newProcess)

  const turn = () => new Promise<void>((resolve) => waiting.push(resolve))

  async function turnOf(process: Process): Promise<void> {
    await turn()
    if (left.losses > 0 && choose(20) === 0) {
      left.losses -= 1
      progress = createMemoryStore().progress
    }
    if (!process.isDead && left.crashes > 0 && choose(8) === 0) {
      left.crashes -= 1
      die(process)
    }
    if (process.isDead) throw new Crash()
  }

  function die(process: Process): void {
    process.isDead = true
    for (const { message, deliveryCount } of process.inHand) {
      enqueue({ message, deliveryCount: deliveryCount + 1 })
    }
    for (const group of [dispatchers, workers]) {
      const place = group.indexOf(process)
      if (place >= 0) group[place] = newProcess()
    }
  }

  /** An effect of a process: the process may die before it, and after it. */
  async function effect<Value>(process: Process, perform: () => Promise<Value>): Promise<Value> {
    await turnOf(process)
    const value = await perform()
    await turnOf(process)
    return value
  }

  async function publish(message: OutgoingMessage): Promise<'routed'> {
    if (message.exchange === topology.exchange.dead) {
      deadLetters.push(JSON.parse(message.body.toString()) as DeadLetter)
    } else {
      enqueue({ message, deliveryCount: 0 })
    }
    return 'routed'
  }

  function enqueue(queued: QueuedMessage): void {
    deliver(queued).catch((error: unknown) => {
      if (!(error instanceof Crash)) failures.push(error)
    })
  }

  async function deliver(queued: QueuedMessage): Promise<void> {
    await turn()
    const { exchange, routingKey } = queued.message
    const isForDispatcher =
      exchange === topology.exchange.events || routingKey === topology.queue.dispatcherResults
    const group = isForDispatcher ? dispatchers : workers
    const process = group[choose(group.length)]!
    process.inHand.add(queued)
    const handle = exchange === topology.exchange.events ? handleEvent : handleResults
    if (isForDispatcher) await handle(deliveryOf(queued), depsOf(process))
    else await work(deliveryOf(queued), process)
    await turnOf(process)
    process.inHand.delete(queued)
  }

  function depsOf(process: Process): EventHandlingDeps & ResultHandlingDeps {
    const publisher = createPublisher({
      topology,
      publish: (message) => effect(process, () => publish(message)),
    })
    return {
      broker: { declare: async () => undefined },
      publisher,
      invocations: createInvocationOutbox({ publisher }),
      topology,
      metrics,
      log: silentLog,
      chains: { current: async () => index },
      biographies: { record: (entries) => effect(process, () => biographies.record(entries)) },
      progress: {
        begin: (accountKey, eventId, work, plan, facts = []) =>
          effect(process, async () => {
            const known = await progress.begin(accountKey, eventId, work, plan)
            if (known.state === 'new') await biographies.record([{ accountKey, eventId, facts }])
            return known
          }),
        complete: (accountKey, eventId, work, outcome, facts = []) =>
          effect(process, async () => {
            const known = await progress.complete(accountKey, eventId, work, outcome)
            if (known.state === 'new') await biographies.record([{ accountKey, eventId, facts }])
            return known
          }),
        finish: (accountKey, eventId, work, outcome, facts = []) =>
          effect(process, async () => {
            await progress.finish(accountKey, eventId, work, outcome)
            await biographies.record([{ accountKey, eventId, facts }])
          }),
      },
      pause: () => turnOf(process),
    }
  }

  /** As the worker of the SDK does it. */
  async function work(delivery: Delivery, process: Process): Promise<void> {
    const [invocation] = JSON.parse(delivery.body.toString()) as [HandlerInvocation]
    const { invocation_id, attempt, context } = invocation
    const { account_key, event_id } = context.event
    const attemptId = attemptIdOf(context, attempt)
    const known =
      delivery.redelivered || invocation.repeat
        ? await effect(process, () => progress.outcome(account_key, event_id, attemptId))
        : undefined
    const answer = (known as Answer | undefined) ?? (await effect(process, () => run(invocation)))
    const result = { ...answer, invocation_id, attempt, context }
    const { results } = createPublisher({ topology, publish })
    const send = () => results(topology.queue.dispatcherResults, [result])
    await effect(process, send)
    if (left.doubledResults === 0 || choose(3) > 0) return
    left.doubledResults -= 1
    await effect(process, send)
  }

  async function run({ context, attempt }: HandlerInvocation): Promise<Answer> {
    const stepId = context.chain.steps[context.step_index]!.id
    if ((context.deferrals ?? 0) < scenario.deferralsOf(stepId)) {
      return { status: 'deferred', retry_after_ms: 1_000, duration_ms: 0 }
    }
    effects.push(`${context.chain.chain_id} ${stepId} ${attempt}`)
    if (attempt > scenario.failuresOf(stepId)) return { status: 'succeeded', duration_ms: 1 }
    const error = { code: 'BUSY', message: 'not yet', retryable: true }
    return { status: 'failed', error, duration_ms: 1 }
  }

  return {
    effects,
    deadLetters,
    failures,
    biographies,
    async publishEvent(event: VumiApiEvent): Promise<void> {
      await createPublisher({ topology, publish }).event(event)
    },
    /** Until nobody waits for anything any more. */
    async settle(): Promise<void> {
      for (;;) {
        // n.b. An outbox sends at the next turn of the event loop.
        for (let turns = 0; waiting.length === 0 && turns < 4; turns += 1) {
          await new Promise((resolve) => setImmediate(resolve))
        }
        if (waiting.length === 0) return
        waiting.splice(choose(waiting.length), 1)[0]!()
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
  }
}

type Answer = Pick<StepResult, 'status' | 'error' | 'retry_after_ms' | 'duration_ms'>

function deliveryOf({ message, deliveryCount }: QueuedMessage): Delivery {
  return { ...message, redelivered: deliveryCount > 0, deliveryCount, isVoid: false }
}
