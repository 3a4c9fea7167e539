/**
 * Lanes: the way to each handler's queue, and what is done when one queue takes nothing while the broker itself is well.
 *
 * | a lane is | when                                                          | an invocation               |
 * | --------- | ------------------------------------------------------------- | --------------------------- |
 * | flowing   |                                                               | goes to the handler's queue |
 * | held      | the queue has taken nothing for a second (it lost its quorum, or is full and refuses), while the broker answers otherwise | is parked |
 *
 * Parked is: in a queue of that handler's own, from which RabbitMQ brings it to the handler's queue, again and again until that takes
 * it. So it is confirmed, its delivery is settled, and no event of another handler waits for a place in the prefetch. What was sent and
 * not confirmed when the lane was held (64 messages at most) waits until its publish times out, and is then parked too: as a `repeat`,
 * unless it was refused, because the queue may have it. A held lane flows again when the queue takes something: what was
 * unconfirmed, or, when nothing is left to wait for, one message now and then.
 */
import {
  type BatchOptions,
  type Broker,
  type Publisher,
  type PublishOutcome,
  RefusedError,
  UnconfirmedError,
} from '@signalbox/broker'
import type { HandlerInvocation } from '@signalbox/contracts'
import { backoffDelayMs, type Log } from '@signalbox/kit'
import type { DispatcherMetrics } from './metrics.ts'

/** Longer than a queue takes to be given another leader is not asked for: parking does no harm, and costs a few seconds. */
const HOLD_AFTER_MS = 1_000
const MAX_TRY_DELAY_MS = 30_000
/** A queue that takes something now and then is not sound: a lane that is held again within this is not told of again. */
const SOUND_AFTER_MS = 60_000
/** Lanes that readiness names; there may be more. */
const MAX_NAMED = 5

type Invocations = readonly [HandlerInvocation, ...HandlerInvocation[]]

export interface LanesDeps {
  publisher: Pick<Publisher, 'invocations' | 'parked'>
  broker: Pick<Broker, 'topology' | 'declare' | 'publish'>
  metrics: Pick<DispatcherMetrics, 'parked'>
  log: Log
  /** Told when a lane is held: what has gathered before it is to be sent, and will be parked. */
  onHeld(handler: string): void
}

export interface Lanes extends Pick<Publisher, 'invocations'>, Disposable {
  /** Which lanes are held, and why; or undefined. For readiness. */
  reason(): string | undefined
}

interface Lane {
  readonly handler: string
  /** Sent and not answered, the oldest first. */
  readonly unanswered: Set<{ sentAtMs: number }>
  held?: { sinceMs: number; parked: number; isTold: boolean }
  /** The last time that it was held, or failed. */
  troubledAtMs: number
  /** Tries in vain, one after the other. */
  failures: number
  /** A held lane may be tried from then on. */
  tryAtMs: number
  watch?: NodeJS.Timeout | undefined
}

export function createLanes({ publisher, broker, metrics, log, onHeld }: LanesDeps): Lanes {
  const { topology } = broker
  const lanes = new Map<string, Lane>()
  let isDisposed = false

  async function invocations(batch: Invocations, options?: BatchOptions): Promise<PublishOutcome> {
    const lane = laneOf(batch[0].handler)
    if (lane.held && !mayBeTried(lane)) return park(lane, batch, options)
    const sent = { sentAtMs: Date.now() }
    lane.unanswered.add(sent)
    watch(lane)
    const taken = (): void => {
      lane.unanswered.delete(sent)
      release(lane)
    }
    const failed = (error: unknown): void => {
      lane.unanswered.delete(sent)
      if (error instanceof RefusedError) hold(lane, sent.sentAtMs)
      if (lane.held && lane.unanswered.size === 0) postpone(lane)
    }
    try {
      const outcome = await publisher.invocations(batch, options)
      taken()
      return outcome
    } catch (error) {
      if (error instanceof UnconfirmedError) {
        error.answer.then(taken, failed)
        if (!lane.held) throw error
        return park(lane, asRepeats(batch))
      }
      failed(error)
      if (!(error instanceof RefusedError)) throw error
      return park(lane, batch, options)
    }
  }

  function laneOf(handler: string): Lane {
    let lane = lanes.get(handler)
    if (!lane) {
      lane = { handler, unanswered: new Set(), troubledAtMs: 0, failures: 0, tryAtMs: 0 }
      lanes.set(handler, lane)
    }
    return lane
  }

  /** One message at a time, and none while some are unanswered: what a queue does not answer is kept by the broker's client. */
  function mayBeTried({ unanswered, tryAtMs }: Lane): boolean {
    return unanswered.size === 0 && Date.now() >= tryAtMs
  }

  /** Resolves after the confirm. Rejects as any publish does: then it is the broker that is in trouble. */
  async function park(
    lane: Lane,
    batch: Invocations,
    options?: BatchOptions,
  ): Promise<PublishOutcome> {
    await broker.declare(topology.parkingQueue(lane.handler))
    await publisher.parked(batch, options)
    if (lane.held) lane.held.parked += batch.length
    metrics.parked.inc(batch.length)
    return 'routed'
  }

  /** Looks again when the oldest that is unanswered has been so for long enough. */
  function watch(lane: Lane, delayMs = HOLD_AFTER_MS): void {
    if (lane.watch || isDisposed) return
    lane.watch = setTimeout(() => {
      lane.watch = undefined
      void look(lane)
    }, delayMs).unref()
  }

  async function look(lane: Lane): Promise<void> {
    const [oldest] = lane.unanswered
    if (!oldest || lane.held) return forgetIdle(lane)
    const ageMs = Date.now() - oldest.sentAtMs
    if (ageMs < HOLD_AFTER_MS) return watch(lane, HOLD_AFTER_MS - ageMs)
    if ((await doesBrokerAnswer(lane.handler)) && lane.unanswered.has(oldest) && !lane.held) {
      hold(lane, oldest.sentAtMs)
    }
    watch(lane)
  }

  /** What no queue takes is confirmed as soon as it is the message's turn; a queue that is declared for the first time writes it down. */
  async function doesBrokerAnswer(handler: string): Promise<boolean> {
    try {
      await broker.declare(topology.parkingQueue(handler))
      await broker.publish({
        exchange: topology.exchange.handlers,
        routingKey: '',
        body: Buffer.from('[]'),
        properties: { messageId: 'probe', type: 'Probe' },
      })
      return true
    } catch {
      return false
    }
  }

  /** Nothing is left to wait for: the lane is tried with one message, ever more rarely. */
  function postpone(lane: Lane): void {
    lane.failures += 1
    lane.troubledAtMs = Date.now()
    const backoff = { initialDelayMs: 1_000, maxDelayMs: MAX_TRY_DELAY_MS }
    lane.tryAtMs = Date.now() + backoffDelayMs(lane.failures, backoff)
  }

  function hold(lane: Lane, sinceMs: number): void {
    if (lane.held || isDisposed) return
    lane.held = { sinceMs, parked: 0, isTold: isSound(lane) }
    lane.troubledAtMs = Date.now()
    if (lane.held.isTold) log.warn({ handler: lane.handler }, 'lane.held')
    onHeld(lane.handler)
  }

  function release(lane: Lane): void {
    if (isSound(lane)) lane.failures = 0
    if (!lane.held) return
    const { sinceMs, parked, isTold } = lane.held
    delete lane.held
    lane.troubledAtMs = Date.now()
    const durationMs = Date.now() - sinceMs
    if (isTold) log.info({ handler: lane.handler, parked, durationMs }, 'lane.released')
    watch(lane)
  }

  function isSound({ troubledAtMs }: Lane): boolean {
    return Date.now() - troubledAtMs > SOUND_AFTER_MS
  }

  function forgetIdle(lane: Lane): void {
    if (lane.held || lane.unanswered.size > 0) return
    if (isSound(lane)) lanes.delete(lane.handler)
    else watch(lane, SOUND_AFTER_MS)
  }

  return {
    invocations,
    reason() {
      const held = [...lanes.values()].flatMap(({ handler, held }) =>
        held ? [{ handler, ...held }] : [],
      )
      if (held.length === 0) return undefined
      const named = held.slice(0, MAX_NAMED).map(({ handler, sinceMs }) => {
        const seconds = Math.ceil((Date.now() - sinceMs) / 1_000)
        return `the queue of handler "${handler}" has taken nothing for ${seconds} s`
      })
      const others = held.length - named.length
      return [...named, ...(others > 0 ? [`${others} more`] : [])].join('; ')
    },
    [Symbol.dispose]() {
      isDisposed = true
      for (const { watch: timer } of lanes.values()) clearTimeout(timer)
    },
  }
}

function asRepeats([first, ...others]: Invocations): Invocations {
  const asRepeat = (invocation: HandlerInvocation) => ({ ...invocation, repeat: true })
  return [asRepeat(first), ...others.map(asRepeat)]
}
