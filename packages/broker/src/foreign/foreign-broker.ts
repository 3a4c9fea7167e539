/**
 * Publishing to an AMQP broker that is not ours and that nobody here vouches for.
 *
 * It connects when the first message comes, and again with the first message after a loss; until it succeeds each message gets the reason
 * at once. When to try again is the caller's to decide. Every message is persistent, mandatory and confirmed.
 */
import type { Socket } from 'node:net'
import { InvalidInputError } from '@signalbox/kit'
import type { Publish } from './channel.ts'
import { ForeignConnection, type ForeignConnectionOptions } from './connection.ts'
import { isShortString } from './fields.ts'
import type { ForeignMessage } from './methods.ts'

export interface ForeignBrokerOptions extends ForeignConnectionOptions {
  /** From the beginning of the connection to the end of AMQP's handshake. */
  connectTimeoutMs: number
}

export interface ForeignBrokerDeps {
  /** A socket that is connected, over TLS where that is wanted; given up when `signal` aborts. What it rejects with becomes a `failed` end. */
  dial(signal: AbortSignal): Promise<Socket>
}

/** How publishing one message ended. */
export type ForeignEnd =
  | { kind: 'routed' }
  | { kind: 'unroutable' }
  /** The broker could not take it. */
  | { kind: 'nacked' }
  /** The broker closed the channel or the connection over it: 404 no such exchange, 403 not permitted, 530 no such vhost, … The text is the broker's. */
  | { kind: 'rejected'; replyCode: number; replyText: string }
  | { kind: 'timed_out'; phase: 'connect' | 'response' }
  /** No connection, or it was lost before the confirm. */
  | { kind: 'failed'; error: Error }

export type ForeignOutcome = ForeignEnd & { address?: string }

export interface ForeignBroker {
  /** Resolves within `timeoutMs`, connecting included. Rejects with `InvalidInputError` when AMQP has no room for a name, and in no other case. */
  publish(message: ForeignMessage, timeoutMs: number): Promise<ForeignOutcome>
  /** What is under way ends as `failed`. Idempotent. */
  close(): Promise<void>
}

export function openForeignBroker(
  options: ForeignBrokerOptions,
  { dial }: ForeignBrokerDeps,
): ForeignBroker {
  const closing = new AbortController()
  let current: Promise<ForeignConnection | ForeignEnd> | undefined
  let connection: ForeignConnection | undefined

  /** One attempt at a time, shared by all messages that wait for it. */
  function connected(): Promise<ForeignConnection | ForeignEnd> {
    if (current && connection?.isOver !== true) return current
    connection = undefined
    const attempt = connect().then((outcome) => {
      if (outcome instanceof ForeignConnection) connection = outcome
      else if (current === attempt) current = undefined
      return outcome
    })
    current = attempt
    return attempt
  }

  async function connect(): Promise<ForeignConnection | ForeignEnd> {
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), options.connectTimeoutMs)
    const signal = AbortSignal.any([late.signal, closing.signal])
    let giveUp = (): void => undefined
    try {
      const made = new ForeignConnection(options, await dial(signal))
      giveUp = () => made.fail(new Error('given up'))
      signal.addEventListener('abort', giveUp)
      const end = await made.ready
      if (!end) return made
      return late.signal.aborted ? { kind: 'timed_out', phase: 'connect' } : end
    } catch (error) {
      if (late.signal.aborted) return { kind: 'timed_out', phase: 'connect' }
      return { kind: 'failed', error: error as Error }
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
    }
  }

  return {
    publish(message, timeoutMs) {
      const { promise, resolve, reject } = Promise.withResolvers<ForeignOutcome>()
      const tooLong = [message.exchange, message.routingKey, message.messageId, message.type ?? '']
        .concat(Object.keys(message.headers))
        .find((name) => !isShortString(name))
      if (tooLong !== undefined) {
        reject(
          new InvalidInputError(
            'exchange, routing key, ids and header names are at most 255 bytes',
          ),
        )
        return promise
      }
      let withdraw = (): void => undefined
      let via: ForeignConnection | undefined
      let isSettled = false
      const settle = (end: ForeignEnd): void => {
        if (isSettled) return
        isSettled = true
        clearTimeout(timer)
        resolve(via ? { ...end, address: via.address } : end)
      }
      const timer = setTimeout(() => {
        withdraw()
        settle({ kind: 'timed_out', phase: via ? 'response' : 'connect' })
      }, timeoutMs)
      const publish: Publish = { message, settle }
      void connected().then((outcome) => {
        if (!(outcome instanceof ForeignConnection)) return settle(outcome)
        if (isSettled) return
        via = outcome
        ;({ withdraw } = outcome.publish(publish))
      })
      return promise
    },
    async close() {
      closing.abort(new Error('closed'))
      await connection?.close()
    },
  }
}
