/**
 * Taking commands: what other parts, and handlers, ask a worker to do.
 *
 * | what happens                                            | the command is                                         |
 * | ------------------------------------------------------- | ------------------------------------------------------ |
 * | its function resolves                                   | acknowledged                                           |
 * | it is no command, or its kwargs do not fit              | a dead letter, `SB_INVALID_MESSAGE`                    |
 * | nobody here knows it                                    | a dead letter, `SB_UNKNOWN_COMMAND`                    |
 * | `UnavailableError`                                      | held, tried again until it passes or the worker closes |
 * | it takes too long, or another error says it may pass    | given back after a second                              |
 * | any other error                                         | a dead letter with its code                            |
 */
import { type Broker, readAs, readCommand, readJson, type Settlement } from '@signalbox/broker'
import type { JsonObject, VumiApiCommand } from '@signalbox/contracts'
import { AppError, delay, type Log } from '@signalbox/kit'
import { z } from 'zod'
import { inTime, workerStopped } from './in-time.ts'
import { whileUnavailable } from './patience.ts'
import { settlementOf } from './settlement.ts'

const DEFAULT_CONCURRENCY = 16
const DEFAULT_TIMEOUT_MS = 30_000
const DRAIN_TIMEOUT_MS = 20_000
const PATIENCE_MS = 10 * 60_000
const REQUEUE_PAUSE_MS = 1_000

/** The fields by name: `Omit` would lose them, because a command may have more fields than are known. */
export type CommandOf<Kwargs> = Pick<
  VumiApiCommand,
  'command_id' | 'worker_name' | 'command' | 'args'
> & { kwargs: Kwargs }

export interface CommandDefinition<Kwargs = JsonObject> {
  /** Reads `kwargs`; without it they are taken as they come. */
  kwargs?: z.ZodType<Kwargs>
  /** May be called again for the same `command_id`: at least once. `signal` aborts when its time is over or the worker stops. */
  handle(command: CommandOf<Kwargs>, signal: AbortSignal): Promise<void>
}

export interface CommandsOptions<Kwargs extends Record<string, unknown>> {
  /** Commands to it are routed by this name; workers of the same name compete for them. */
  workerName: string
  /** By the command's name. */
  commands: { [Name in keyof Kwargs]: CommandDefinition<Kwargs[Name]> }
  /** Commands at work at once; default 16. */
  concurrency?: number
  /** How long one call may take, default 30,000 ms; after that it has failed, and may pass. */
  timeoutMs?: number
}

export interface CommandsDeps {
  broker: Pick<Broker, 'topology' | 'declare' | 'consume'>
  log: Log
}

/** Resolves when it consumes. Disposing it takes no more and waits for what is in hand, at most 20 seconds; the rest is given back. */
export async function consumeCommands<Kwargs extends Record<string, unknown>>(
  options: CommandsOptions<Kwargs>,
  { broker, log }: CommandsDeps,
): Promise<AsyncDisposable> {
  const { workerName, commands } = options
  const { concurrency = DEFAULT_CONCURRENCY, timeoutMs = DEFAULT_TIMEOUT_MS } = options
  const known = new Map<string, CommandDefinition<unknown>>(Object.entries(commands))
  const closing = new AbortController()
  const shutdown = new AbortController()
  const queue = broker.topology.workerQueue(workerName)
  await broker.declare(queue)
  const consumer = await broker.consume(queue.name, { prefetch: concurrency }, async (delivery) => {
    let facts: { command?: string; commandId?: string } = {}
    const startedAtMs = performance.now()
    let settlement: Settlement = { kind: 'ack' }
    try {
      const command = readCommand(readJson(delivery.body, 'the command'), delivery)
      facts = { command: command.command, commandId: command.command_id }
      await perform(command)
    } catch (error) {
      settlement = settlementOf(error, { about: 'command' })
      log.warn({ err: error, workerName, ...facts }, 'command.failed')
      if (settlement.kind === 'requeue') await delay(REQUEUE_PAUSE_MS, closing.signal)
    }
    const durationMs = Math.round(performance.now() - startedAtMs)
    log.debug({ workerName, ...facts, settlement: settlement.kind, durationMs }, 'delivery.settled')
    return settlement
  })

  async function perform(command: VumiApiCommand): Promise<void> {
    const definition = known.get(command.command)
    if (!definition) {
      throw new AppError(
        'SB_UNKNOWN_COMMAND',
        `worker "${workerName}" has no command "${command.command}"; it has ${[...known.keys()].join(', ')}`,
        { retryable: false },
      )
    }
    const schema = definition.kwargs ?? z.unknown()
    const { kwargs } = readAs(
      z.looseObject({ kwargs: schema }),
      command,
      `command "${command.command}"`,
    )
    const limits = { timeoutMs, shutdown: shutdown.signal, what: `command "${command.command}"` }
    await whileUnavailable(
      () => inTime((signal) => definition.handle({ ...command, kwargs }, signal), limits),
      { patienceMs: PATIENCE_MS, signal: closing.signal },
    )
  }

  return {
    async [Symbol.asyncDispose]() {
      closing.abort()
      const patience = setTimeout(() => shutdown.abort(workerStopped()), DRAIN_TIMEOUT_MS)
      await consumer.close().finally(() => clearTimeout(patience))
    },
  }
}
