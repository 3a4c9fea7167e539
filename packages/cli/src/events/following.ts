/**
 * Events as they happen, through the client: it reconnects, resumes and tells gaps. What would not go away by itself (no edge there, a key that may
 * not, a condition that is none) ends it with an error.
 */
import {
  type Client,
  connect,
  type EventItem,
  type EventSelector,
  SignalboxError,
} from '@signalbox/client'
import { z } from 'zod'
import { type Api, understood } from '../api/api.ts'
import { type Connection, edgeUrlOf } from '../connection.ts'
import { RefusedError, UnreachableError } from '../failure.ts'
import type { Output } from '../output.ts'

export interface FollowDeps {
  connection: Connection
  api: Pick<Api, 'send'>
  output: Pick<Output, 'note'>
  /** Ends it without an error. */
  signal: AbortSignal
}

const tokenSchema = z.looseObject({ token: z.string() })

/** The loop that leaves it closes it. At most 1,000 events wait for the loop; then a gap says so. */
export async function* followEvents(
  selector: EventSelector,
  { connection, api, output, signal }: FollowDeps,
): AsyncGenerator<EventItem> {
  const edgeUrl = edgeUrlOf(connection)
  const requestToken = async () => {
    const answer = await api.send({ path: '/tokens', method: 'POST', body: { scope: 'account' } })
    return understood(tokenSchema, answer, 'POST /tokens').token
  }
  // n.b. before the client, which would go on trying: what is refused now is refused later.
  let firstToken: string | undefined = await requestToken()
  let failure: Error | undefined
  let wasOpen = false
  let client: Client | undefined

  function fail(error: Error): void {
    failure ??= error
    void client?.close()
  }

  client = connect({
    url: edgeUrl,
    async token() {
      const kept = firstToken
      firstToken = undefined
      if (kept !== undefined) return kept
      try {
        return await requestToken()
      } catch (error) {
        if (error instanceof RefusedError) fail(error)
        throw error
      }
    },
    onStatus(status) {
      if (status.state === 'open') {
        if (wasOpen) output.note('connected again')
        wasOpen = true
      } else if (status.state === 'closed' && status.error) {
        failure ??= failureOf(status.error)
      } else if (status.state === 'waiting') {
        const { message } = status.error
        if (wasOpen) output.note(`${message}; trying again in ${status.retryInMs} ms`)
        else fail(noEdge(edgeUrl, message))
      }
    },
  })
  const subscription = client.subscribe(selector)
  const end = () => subscription.unsubscribe()
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  subscription.live().then(
    () => output.note(`following account "${connection.accountKey}" at ${edgeUrl}; Ctrl-C ends it`),
    () => undefined,
  )
  try {
    yield* subscription
  } catch (error) {
    failure ??= error instanceof SignalboxError ? failureOf(error) : (error as Error)
  } finally {
    signal.removeEventListener('abort', end)
    await client.close()
  }
  if (failure && !signal.aborted) throw failure
}

function noEdge(edgeUrl: string, reason: string): UnreachableError {
  return new UnreachableError(
    `The edge at ${edgeUrl} cannot be reached (${reason}).\nDoes it run there? --edge-url or SIGNALBOX_EDGE_URL says where it is.`,
  )
}

function failureOf(error: SignalboxError): Error {
  const { code, message, status = 400, path } = error
  if (error.retryable) return new UnreachableError(`${message} (${code})`, { cause: error })
  return new RefusedError({
    type: `urn:signalbox:error:${code}`,
    title: 'The edge refused',
    status,
    code,
    detail: message,
    ...(path === undefined ? {} : { errors: [{ path: path.replace(/^data\./, ''), message }] }),
  })
}
