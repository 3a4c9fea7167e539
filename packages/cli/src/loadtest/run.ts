/**
 * A load test from its plan to its report: a system, a chain per account, workers that count, subscribers, the load with its
 * faults, and the wait for what is still missing. It leaves nothing behind but biographies, which the store forgets by itself.
 */
import { type Broker, createTopology, openAmqpBroker, removeAmqpQueue } from '@signalbox/broker'
import { delay, silentLog } from '@signalbox/kit'
import { waitFor } from '@signalbox/private-brokers'
import { openRedisStore, type Store } from '@signalbox/store'
import { type Accounting, createAccounting } from './accounting.ts'
import { preciseNowMs } from './clock.ts'
import { executionOf } from './execution-report.ts'
import { type FaultRun, startFaults } from './fault-run.ts'
import type { LoadOptions, LoadtestPlan } from './options.ts'
import { pace } from './pacing.ts'
import { openHttpPublishing, type Publish, publishOverAmqp } from './publishing.ts'
import { type LoadReport, reportOf } from './report.ts'
import { type Service, startService } from './service.ts'
import { openSubscribers, type Subscribers } from './subscribers.ts'
import { type RunningSystem, systemOf } from './system.ts'
import { createTokens } from './tokens.ts'
import { explainUnhandled } from './unhandled.ts'
import { CHAIN_ID, createWorkload, type Workload } from './workload.ts'

const WORKER_ENTRY = new URL('./counting-worker/main.ts', import.meta.url)
/** Between everything being ready and the first event. */
const LEAD_MS = 100
const POLL_MS = 100
const CONNECT_TIMEOUT_MS = 5_000

export interface Progress {
  elapsedMs: number
  accounting: Pick<Accounting, 'confirmedCount' | 'handledCount' | 'shownCount' | 'pending'>
}

export interface LoadtestDeps {
  /** Ends the publishing and the faults; what was published by then is waited for and becomes the report. */
  signal: AbortSignal
  /** Preparations, in words. */
  tell(news: string): void
  /** Called many times a second while events are on their way. */
  onProgress(progress: Progress): void
}

/** Throws when the system cannot be prepared or a fault cannot be done. */
export async function runLoadtest(plan: LoadtestPlan, deps: LoadtestDeps): Promise<LoadReport> {
  const { load } = plan
  const { signal, tell } = deps
  const runId = Date.now().toString(36)
  const workload = createWorkload({ ...load, runId })
  await using stack = new AsyncDisposableStack()
  const system = stack.use(await systemOf(plan.system, tell))
  signal.throwIfAborted()

  tell(`Preparing workers, chains and subscribers of ${workload.handlerName} ...`)
  const { store, broker } = await openEngines(system, stack)
  let faultRun: FaultRun | undefined
  let subscribers: Subscribers | undefined
  const accounting = createAccounting(
    { events: eventCountOf(load), rate: load.rate, lateMs: load.lateMs },
    {
      workload,
      eraOf: (subscriber) => subscribers?.eraOf(subscriber) ?? 0,
      onSeen: (name, atMs) => faultRun?.seen(name, atMs),
    },
  )
  // n.b. before the workers, so that it is done after they, who put the handler into the catalog, have ended.
  if (plan.system.kind === 'given') stack.defer(() => removeTraces(workload, { system, store }))
  const workers = await startWorkers(load.workers, { system, workload, accounting, stack })
  for (const accountKey of workload.accountKeys) {
    await store.chains.put(accountKey, CHAIN_ID, workload.chain())
  }
  subscribers = stack.use(
    await openSubscribers(
      { edgeUrls: system.edgeUrls, persons: workload.subscribers },
      {
        tokenFor: createTokens(system),
        onFrame: (id, subscriber, era) =>
          accounting.shown(Number(id), subscriber, era, preciseNowMs()),
      },
    ),
  )
  const publish = publishOf(plan, { system, broker, stack })
  signal.throwIfAborted()

  tell(`Publishing ${load.rate} events per second for ${load.durationMs / 1_000} s ...`)
  const startMs = preciseNowMs() + LEAD_MS
  accounting.begin(startMs)
  const progress = setInterval(
    () => deps.onProgress({ elapsedMs: preciseNowMs() - startMs, accounting }),
    POLL_MS,
  )
  stack.defer(() => clearInterval(progress))
  const ending = new AbortController()
  const until = AbortSignal.any([signal, ending.signal])
  faultRun = startFaults(
    {
      faults: plan.system.kind === 'own' ? plan.system.faults : [],
      startMs,
      signal: until,
    },
    { ...system.targets, worker: workers },
  )
  const faultsDone = faultRun.done.catch((error: unknown) => {
    ending.abort(error)
    if (!signal.aborted) throw error
  })
  const published = publishAll({ load, workload, accounting, publish, startMs, signal: until })
  const [publishedForMs] = await Promise.all([published, faultsDone])
  await drained(accounting, load.drainMs, ending.signal)

  return reportOf({
    plan,
    accounting,
    startMs,
    publishedForMs,
    isInterrupted: signal.aborted,
    unhandled: await explainUnhandled(accounting.notHandled(), {
      workload,
      biographies: store.biographies,
    }),
    socketBreaks: subscribers.breaks,
    faults: faultRun.reports,
  })
}

async function openEngines(system: RunningSystem, stack: AsyncDisposableStack) {
  const { amqpUrl, redisUrl, namespace } = system
  const store = stack.use(openRedisStore({ url: redisUrl, namespace, log: silentLog }))
  const broker = stack.use(
    await openAmqpBroker({
      url: amqpUrl,
      topology: createTopology({ namespace }),
      log: silentLog,
      connectionName: 'signalbox-loadtest',
    }),
  )
  await waitFor(() => !broker.unavailableReason() && !store.unavailableReason(), {
    what: 'RabbitMQ and Redis to answer',
    timeoutMs: CONNECT_TIMEOUT_MS,
  })
  return { store, broker }
}

async function startWorkers(
  count: number,
  deps: {
    system: RunningSystem
    workload: Workload
    accounting: Accounting
    stack: AsyncDisposableStack
  },
): Promise<Service[]> {
  const { system, workload, accounting, stack } = deps
  const start = async () =>
    stack.use(
      await startService({
        name: 'counting worker',
        entry: WORKER_ENTRY,
        args: [workload.handlerName],
        env: {
          AMQP_URL: system.amqpUrl,
          REDIS_URL: system.redisUrl,
          SIGNALBOX_NAMESPACE: system.namespace,
        },
        onLine: (line) => {
          const execution = executionOf(line)
          if (execution) accounting.executed(execution)
        },
      }),
    )
  return Promise.all(Array.from({ length: count }, start))
}

function publishOf(
  { load }: LoadtestPlan,
  deps: { system: RunningSystem; broker: Broker; stack: AsyncDisposableStack },
): Publish {
  const { system, broker, stack } = deps
  if (load.via === 'amqp') return publishOverAmqp(broker)
  const { apiUrl, adminKey = '' } = system
  return stack.use(openHttpPublishing({ apiUrl, adminKey })).publish
}

/** Resolves with the time it took, when every event was sent; their confirms may still be awaited. */
async function publishAll(options: {
  load: LoadOptions
  workload: Workload
  accounting: Accounting
  publish: Publish
  startMs: number
  signal: AbortSignal
}): Promise<number> {
  const { load, workload, accounting, publish, startMs, signal } = options
  const send = (index: number) => {
    accounting.sent(index)
    publish(workload.eventOf(index, Date.now())).then(
      () => accounting.confirmed(index, preciseNowMs()),
      () => accounting.unconfirmed(index),
    )
  }
  const events = eventCountOf(load)
  await pace({ rate: load.rate, events, startMs }, { nowMs: preciseNowMs, send, signal })
  return preciseNowMs() - startMs
}

function eventCountOf({ rate, durationMs }: LoadOptions): number {
  return Math.floor((rate * durationMs) / 1_000)
}

/** Resolves when nothing is missing any more, or nothing has come for `quietMs`. */
async function drained(
  accounting: Accounting,
  quietMs: number,
  signal: AbortSignal,
): Promise<void> {
  const isComplete = () =>
    accounting.pending === 0 &&
    accounting.notHandled().length === 0 &&
    accounting.notShown().lost.length === 0
  const begunMs = preciseNowMs()
  while (!signal.aborted && !isComplete()) {
    const lastMs = Math.max(begunMs, ...Object.values(accounting.lastSeenMs))
    if (preciseNowMs() - lastMs > quietMs) return
    await delay(POLL_MS, signal)
  }
}

/** Chains, the handler's entry in the catalog, and its queue. */
async function removeTraces(
  workload: Workload,
  { system, store }: { system: RunningSystem; store: Store },
): Promise<void> {
  const { handlerName } = workload
  for (const accountKey of workload.accountKeys) await store.chains.delete(accountKey, CHAIN_ID)
  await store.catalog.remove(handlerName)
  const queue = createTopology({ namespace: system.namespace }).handlerQueue(handlerName)
  await removeAmqpQueue(system.amqpUrl, queue.name)
}
