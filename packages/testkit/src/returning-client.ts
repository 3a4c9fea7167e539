/**
 * A client that follows one person's flow and comes back by itself, as one does who keeps to the protocol: it waits as it is told to,
 * resumes with its newest cursor, and notes what came, so that whoever asks can see what was missed and what came twice.
 */
import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

const HANDSHAKE_TIMEOUT_MS = 10_000
/** Between tries while nobody listens, doubled from try to try; a random part of it, so that not all come at once. */
const FIRST_PAUSE_MS = 500
const MAX_PAUSE_MS = 8_000

export interface ReturningClientOptions {
  /** Where to connect now, as `ws://host:port/v1/socket`. */
  url(): string
  token: string
  personKey: string
}

/** Disposing it: it comes back no more. */
export interface ReturningClient extends AsyncDisposable {
  /** It is subscribed, and what it missed has been asked for. */
  readonly isLive: boolean
  /** `data.id` of each change that came, in order. */
  readonly ids: readonly string[]
  /** Upgrades that were refused, by status. */
  readonly refusals: ReadonlyMap<number, number>
  /** Answers to a `since`, by whether everything after it comes. */
  readonly resumes: { recovered: number; lost: number }
}

interface Frame {
  event?: string
  status?: number
  recovered?: boolean
  cursor?: string
  data?: { id: string }
}

export function openReturningClient(options: ReturningClientOptions): ReturningClient {
  const closing = new AbortController()
  const ids: string[] = []
  const refusals = new Map<number, number>()
  const resumes = { recovered: 0, lost: 0 }
  let cursor: string | undefined
  let socket: WebSocket | undefined
  let isLive = false
  let pauseMs = FIRST_PAUSE_MS

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      const waitMs = await connect()
      isLive = false
      await sleep(waitMs, undefined, { signal: closing.signal }).catch(() => undefined)
    }
  }

  /** Resolves, when the socket has ended or there is none, with how long to wait. */
  async function connect(): Promise<number> {
    const opened = new WebSocket(options.url(), ['signalbox.v1', `bearer.${options.token}`], {
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      perMessageDeflate: false,
    })
    socket = opened
    let waitMs = Math.random() * pauseMs
    pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)
    opened.on('error', () => undefined)
    opened.on('unexpected-response', (request, response: IncomingMessage) => {
      const { statusCode = 0, headers } = response
      refusals.set(statusCode, (refusals.get(statusCode) ?? 0) + 1)
      waitMs = (Number(headers['retry-after'] ?? 1) + Math.random()) * 1_000
      request.destroy()
      opened.terminate()
    })
    opened.on('open', () => {
      const resuming = cursor === undefined ? { resume: true } : { since: cursor }
      const data = { person_key: options.personKey, entity: 'flow', ...resuming }
      opened.send(JSON.stringify({ action: 'subscribe_state_change', request_id: 1, data }))
    })
    opened.on('message', (body: Buffer) => onFrame(JSON.parse(body.toString()) as Frame))
    await new Promise((resolve) => opened.once('close', resolve))
    return waitMs
  }

  function onFrame(frame: Frame): void {
    if (frame.event === 'state_change' && frame.data) ids.push(frame.data.id)
    if (frame.status === 200) {
      isLive = true
      pauseMs = FIRST_PAUSE_MS
    } else if (frame.status !== undefined) {
      socket?.close()
    }
    if (frame.recovered !== undefined) resumes[frame.recovered ? 'recovered' : 'lost']++
    cursor = frame.cursor ?? cursor
  }

  const running = run()
  return {
    get isLive() {
      return isLive
    },
    ids,
    refusals,
    resumes,
    async [Symbol.asyncDispose]() {
      closing.abort()
      socket?.terminate()
      await running
    },
  }
}
