/** The HTTP API as commands use it: one account, one key; what it refuses becomes an error that can be told. */
import { type Problem, problemSchema } from '@signalbox/contracts'
import { z } from 'zod'
import type { Connection } from '../connection.ts'
import { RefusedError, UnreachableError } from '../failure.ts'

const REQUEST_TIMEOUT_MS = 30_000
const PAGE_LIMIT = 1_000

export interface ApiRequest {
  /** Below the account: `/events`. */
  path: string
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  body?: unknown
  query?: Readonly<Record<string, string>>
}

/** Rejects with `RefusedError`, with `UnreachableError`, and with the signal's reason when it is aborted. */
export interface Api {
  /** The answer's body; undefined when it has none. */
  send(request: ApiRequest): Promise<unknown>
  /** Undefined: there is no such thing. */
  find(path: string): Promise<unknown>
  /** The items of a listing, page after page. */
  list(path: string): AsyncGenerator<unknown>
}

const pageSchema = z.looseObject({ items: z.array(z.unknown()), next: z.string().optional() })

export function createApi(
  { apiUrl, apiKey, accountKey }: Connection,
  { signal }: { signal: AbortSignal },
): Api {
  const base = `${apiUrl}/v1/accounts/${encodeURIComponent(accountKey)}`

  async function send({ path, method = 'GET', body, query = {} }: ApiRequest): Promise<unknown> {
    const parameters = new URLSearchParams(query).toString()
    const { status, text } = await exchange(
      `${base}${path}${parameters === '' ? '' : `?${parameters}`}`,
      {
        method,
        headers: {
          authorization: `Bearer ${apiKey}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // n.b. the key goes to whom it was given for, and to nobody that they name.
        redirect: 'manual',
      },
    )
    const answer = parsed(text)
    if (status >= 200 && status < 300) return answer
    throw errorOf(status, answer)
  }

  async function exchange(url: string, request: RequestInit) {
    try {
      const patience = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
      const response = await fetch(url, { ...request, signal: AbortSignal.any([signal, patience]) })
      return { status: response.status, text: await response.text() }
    } catch (cause) {
      signal.throwIfAborted()
      throw new UnreachableError(
        `The API at ${apiUrl} cannot be reached (${reasonOf(cause)}).\nIs Signalbox running there? --api-url or SIGNALBOX_API_URL says where it is.`,
        { cause },
      )
    }
  }

  function errorOf(status: number, answer: unknown): Error {
    const outcome = problemSchema.safeParse(answer)
    if (!outcome.success) {
      const foreign = `${apiUrl} answered ${status}, and not as Signalbox does. Is --api-url the address of its API?`
      if (status >= 500) return new UnreachableError(foreign)
      return new RefusedError({ ...NO_PROBLEM, status, detail: foreign })
    }
    const problem = outcome.data
    if (status < 500) return new RefusedError(problem)
    const detail = problem.detail ?? problem.title
    return new UnreachableError(`${detail} (${problem.code}, ${status})`, { problem })
  }

  return {
    send,
    async find(path) {
      try {
        return await send({ path })
      } catch (error) {
        if (error instanceof RefusedError && error.problem.code === 'SB_NOT_FOUND') return undefined
        throw error
      }
    },
    async *list(path) {
      let cursor: string | undefined
      do {
        const query = { limit: `${PAGE_LIMIT}`, ...(cursor === undefined ? {} : { cursor }) }
        const page = understood(pageSchema, await send({ path, query }), path)
        yield* page.items
        cursor = page.next
      } while (cursor !== undefined)
    },
  }
}

const NO_PROBLEM: Pick<Problem, 'type' | 'title' | 'code'> = {
  type: 'about:blank',
  title: 'Not an answer of Signalbox',
  code: 'SB_INTERNAL',
}

/** What the API answered, as it has to be. Throws when it is something else: then it is of a version that this command does not know. */
export function understood<Schema extends z.ZodType>(
  schema: Schema,
  answer: unknown,
  what: string,
): z.output<Schema> {
  const outcome = schema.safeParse(answer)
  if (outcome.success) return outcome.data
  throw new Error(
    `What the API answered for ${what} is not what this version of the command knows`,
    {
      cause: outcome.error,
    },
  )
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

function reasonOf(error: unknown): string {
  const { cause, message, name } = error as Error
  if (name === 'TimeoutError') return `no answer within ${REQUEST_TIMEOUT_MS / 1_000} s`
  const { code, message: inner } = (cause ?? {}) as { code?: string; message?: string }
  return code ?? inner ?? message
}
