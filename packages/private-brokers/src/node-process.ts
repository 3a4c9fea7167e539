/** A service, run as its operator runs it: a Node process with an environment, seen from outside. */
import { fileURLToPath } from 'node:url'
import { startKeptProcess } from './kept-process.ts'
import { waitFor } from './wait-for.ts'

const TERMINATION_MS = 10_000
const READY_TIMEOUT_MS = 20_000
const REQUEST_TIMEOUT_MS = 2_000

export interface NodeProcessOptions {
  /** The TypeScript file to run. */
  entry: string | URL
  /** All it sees besides PATH and HOME. */
  env: Readonly<Record<string, string>>
  /** As errors call it. */
  name: string
}

/** Disposing: SIGTERM, and SIGKILL after 10 s. It ends with this process in any case. */
export interface NodeProcess extends AsyncDisposable {
  readonly pid: number
  /** Resolves with how it ended ("exit code 0", "SIGKILL"); never rejects. */
  readonly exited: Promise<string>
  /** The last 200 lines of its stdout and stderr. */
  output(): string
  /** False: it has ended. */
  kill(signal: NodeJS.Signals): boolean
  /**
   * Resolves when `/readyz` at `baseUrl` answers 200. Throws, with what it answered and the process's output, after
   * `timeoutMs` (default 20,000) or as soon as the process has ended.
   */
  waitForReady(baseUrl: string, options?: { timeoutMs?: number }): Promise<void>
}

export async function startNodeProcess({
  entry,
  env,
  name,
}: NodeProcessOptions): Promise<NodeProcess> {
  const file = entry instanceof URL ? fileURLToPath(entry) : entry
  const kept = startKeptProcess({
    name,
    command: [process.execPath, file],
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
  })
  const { pid } = kept
  if (pid === undefined) throw new Error(`${name} cannot be started: ${await kept.ended}`)

  return {
    pid,
    exited: kept.ended,
    output: kept.output,
    kill: kept.signal,
    async waitForReady(baseUrl, { timeoutMs = READY_TIMEOUT_MS } = {}) {
      const ready = async () => kept.ending !== undefined || (await answersReady(baseUrl))
      try {
        await waitFor(ready, { what: `${name} to be ready`, timeoutMs, intervalMs: 50 })
      } catch (error) {
        throw new Error(`${(error as Error).message}; its output was:\n${kept.output()}`)
      }
      if (kept.ending !== undefined) {
        throw new Error(`${name} ended before it was ready (${kept.ending}):\n${kept.output()}`)
      }
    },
    [Symbol.asyncDispose]: () => kept.terminate(TERMINATION_MS),
  }
}

async function answersReady(baseUrl: string): Promise<boolean> {
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS)
  const response = await fetch(new URL('/readyz', baseUrl), { signal })
  const body = await response.text()
  if (response.ok) return true
  throw new Error(`/readyz answers ${response.status}: ${body}`)
}
