/** The source: whatever has something to tell publishes its events, and its commands to workers, through this. */
import { type Broker, createPublisher, deadLetterOf } from '@signalbox/broker'
import {
  type CommandInput,
  commandInputSchema,
  completeCommand,
  completeEvent,
  type EventInput,
  eventInputSchema,
  type VumiApiCommand,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { AppError, parseInput } from '@signalbox/kit'
import { whileUnavailable } from './patience.ts'

const DEFAULT_PATIENCE_MS = 30_000

export interface SourceDeps {
  broker: Pick<Broker, 'publish' | 'topology'>
}

export interface PublishOptions {
  /** How long to try while the broker is away, default 30,000 ms; 0: once. */
  patienceMs?: number
  /** W3C trace context. */
  traceparent?: string
}

export interface Source {
  /**
   * Resolves to the event as it was sent, after the broker's confirm. Throws `InvalidInputError` that names the
   * fields, `UnavailableError` when patience ended: publish it again with the same `event_id`, it starts no run twice.
   */
  publishEvent(input: EventInput, options?: PublishOptions): Promise<VumiApiEvent>
  /**
   * Resolves to the command as it was sent, after the broker's confirm. Throws `AppError` `SB_UNKNOWN_WORKER` when no worker takes
   * commands under that name; the command is then a dead letter.
   */
  publishCommand(input: CommandInput, options?: PublishOptions): Promise<VumiApiCommand>
}

export function createSource({ broker }: SourceDeps): Source {
  const publisher = createPublisher(broker)
  const patient = <Value>(attempt: () => Promise<Value>, { patienceMs }: PublishOptions) =>
    whileUnavailable(attempt, { patienceMs: patienceMs ?? DEFAULT_PATIENCE_MS })

  return {
    async publishEvent(input, options = {}) {
      const event = completeEvent(parseInput(eventInputSchema, input, 'the event'))
      await patient(() => publisher.event(event, options), options)
      return event
    },

    async publishCommand(input, options = {}) {
      const command = completeCommand(parseInput(commandInputSchema, input, 'the command'))
      const outcome = await patient(() => publisher.command(command, options), options)
      if (outcome === 'routed') return command

      const { worker_name: worker, command: name } = command
      const code = 'SB_UNKNOWN_WORKER'
      const message = `command "${name}" is for worker "${worker}", and no worker of that name has ever run`
      const letter = deadLetterOf(
        {
          exchange: broker.topology.exchange.commands,
          routingKey: worker,
          body: Buffer.from(JSON.stringify(command)),
        },
        { code, message, about: 'command' },
      )
      await patient(() => publisher.deadLetter(letter), options)
      throw new AppError(code, message, { retryable: false })
    },
  }
}
