/**
 * The SMS gateway: one HTTP endpoint that takes `{to, body}` as JSON and answers 2xx when it has taken the message.
 *
 * | what happens                                      | failure                   | retryable                     |
 * | ------------------------------------------------- | ------------------------- | ----------------------------- |
 * | 2xx, whatever comes after the status              | none                      |                               |
 * | 408, 429, 5xx                                     | `SMS_GATEWAY_BUSY`        | yes, not before `Retry-After` |
 * | any other status; redirects are not followed      | `SMS_REJECTED`            | no                            |
 * | no connection, or no answer in time               | `SMS_GATEWAY_UNREACHABLE` | yes                           |
 *
 * Its answers are not repeated in errors, nor is its URL: only its host is.
 */
import { retryAfterMs } from '@signalbox/kit'
import { HandlerError } from '@signalbox/worker'
import { Agent, type Dispatcher, request } from 'undici'
import { z } from 'zod'

const DEFAULT_TIMEOUT_MS = 10_000
/** All that is read of an answer. */
const MAX_ANSWER_BYTES = 64 * 1024
const MAX_CONNECTIONS = 64

export interface SmsGatewayOptions {
  url: string
  /** Sent as a bearer credential. */
  token?: string | undefined
  /** For connecting, and for everything up to the end of the answer; default 10,000 ms. */
  timeoutMs?: number | undefined
}

export interface Sms {
  to: string
  body: string
}

export interface SmsReceipt {
  /** HTTP status. */
  status: number
  /** The gateway's own identity of the message, when it gave one. */
  message_id?: string
}

export interface SmsGateway {
  /** Throws `HandlerError`. */
  send(sms: Sms, options: { idempotencyKey: string; signal: AbortSignal }): Promise<SmsReceipt>
}

export function createSmsGateway(options: SmsGatewayOptions): SmsGateway {
  const { url, token, timeoutMs = DEFAULT_TIMEOUT_MS } = options
  const { host } = new URL(url)
  const dispatcher = new Agent({
    connections: MAX_CONNECTIONS,
    connect: { timeout: timeoutMs },
  })

  return {
    async send({ to, body }, { idempotencyKey, signal }) {
      const timeout = AbortSignal.timeout(timeoutMs)
      const response = await request(url, {
        dispatcher,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'idempotency-key': idempotencyKey,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify({ to, body }),
        signal: AbortSignal.any([signal, timeout]),
      }).catch((cause: unknown) => {
        throw unreachable(host, timeout.aborted ? `within ${timeoutMs} ms` : undefined, cause)
      })
      const answer = await readAnswer(response)
      if (response.statusCode >= 200 && response.statusCode < 300) {
        return { status: response.statusCode, ...messageIdIn(answer) }
      }
      throw refused(host, response)
    },
  }
}

/** The start of the answer. What fails while it is read changes nothing: the status has been given. */
async function readAnswer({ body }: Dispatcher.ResponseData): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= MAX_ANSWER_BYTES) break
    }
  } catch {
    return ''
  }
  return Buffer.concat(chunks).toString('utf8')
}

const answerSchema = z.object({
  message_id: z.union([z.string().min(1).max(256), z.number().transform(String)]),
})

function messageIdIn(answer: string): Pick<SmsReceipt, 'message_id'> {
  try {
    return answerSchema.parse(JSON.parse(answer))
  } catch {
    return {}
  }
}

function refused(host: string, { statusCode, headers }: Dispatcher.ResponseData): HandlerError {
  const message = `the SMS gateway at ${host} answered ${statusCode}`
  if (statusCode !== 408 && statusCode !== 429 && statusCode < 500) {
    return new HandlerError({ code: 'SMS_REJECTED', message, retryable: false })
  }
  const header = headers['retry-after']
  return new HandlerError({
    code: 'SMS_GATEWAY_BUSY',
    message,
    retryAfterMs: retryAfterMs(Array.isArray(header) ? header[0] : header, Date.now()),
  })
}

function unreachable(host: string, within: string | undefined, cause: unknown): HandlerError {
  const { code } = cause as { code?: unknown }
  const why = within ?? (typeof code === 'string' ? `(${code})` : '(connection failed)')
  return new HandlerError({
    code: 'SMS_GATEWAY_UNREACHABLE',
    message: `the SMS gateway at ${host} gave no answer ${why}`,
    cause,
  })
}
