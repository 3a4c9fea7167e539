/**
 * A server of one's own, to kill and start again: same ports, same data.
 *
 * States: running -> (kill | stop) -> down -> (start) -> running; running -> (pause) -> paused -> (resume) -> running; disposed
 * from any of them.
 */
import { rm } from 'node:fs/promises'
import type { KeptProcess } from './kept-process.ts'
import { waitFor } from './wait-for.ts'

/** RabbitMQ takes about 6 s on an idle machine, and much longer on a busy one. */
const START_TIMEOUT_MS = 90_000
const STOP_TIMEOUT_MS = 30_000

export interface PrivateServer extends AsyncDisposable {
  /** SIGKILL to all of it, as when the machine loses power but for its disk. Resolves when it is dead. */
  kill(): Promise<void>
  /** An orderly end. Resolves when it has ended. */
  stop(): Promise<void>
  /** Starts it again with the same ports and data; does nothing while it runs. Resolves when it serves. */
  start(): Promise<void>
  /** SIGSTOP: it is there, its connections stay, and it does nothing. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** The last lines of its output. */
  output(): string
}

export interface PrivateServerOptions {
  name: string
  /** Its data; removed when it is disposed. Default: it has none. */
  folder?: string
  launch: () => KeptProcess
  /** Whether it serves yet. */
  serves: () => Promise<boolean>
}

/** Resolves when it serves. Throws with the server's own last words when it ends before that. */
export async function startPrivateServer(options: PrivateServerOptions): Promise<PrivateServer> {
  const { name, folder, launch, serves } = options
  let running: KeptProcess | undefined

  async function start() {
    if (running && running.ending === undefined) return
    const launched = launch()
    running = launched
    try {
      await waitFor(async () => launched.ending !== undefined || (await serves()), {
        what: `${name} to start`,
        timeoutMs: START_TIMEOUT_MS,
        intervalMs: 50,
      })
    } catch (error) {
      throw new Error(`${name} does not serve; its output was:\n${launched.output()}`, {
        cause: error,
      })
    }
    if (launched.ending !== undefined) {
      throw new Error(`${name} ended at its start (${launched.ending}):\n${launched.output()}`)
    }
  }
  async function dispose() {
    await running?.kill()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }

  try {
    await start()
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    kill: async () => running?.kill(),
    stop: async () => running?.terminate(STOP_TIMEOUT_MS),
    start,
    pause: () => void running?.signal('SIGSTOP'),
    resume: () => void running?.signal('SIGCONT'),
    output: () => running?.output() ?? '',
    [Symbol.asyncDispose]: dispose,
  }
}
