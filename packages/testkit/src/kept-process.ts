/**
 * A server process that cannot outlive whoever started it.
 *
 * It leads a process group of its own, in which a watchdog reads a pipe that only the starter holds open. However the starter
 * ends, SIGKILL included, the pipe ends with it; the watchdog then removes the server's folder and kills the group.
 */
import { spawn } from 'node:child_process'
import { createLineTail } from './line-tail.ts'

/** How long a server may take for its own orderly end before it is killed. */
const TERMINATION_MS = 20_000

/** Arguments: the folder to remove, then the command. The pipe is descriptor 3. */
const WATCHED = `
folder=$1
shift
{ cat <&3; rm -rf "$folder"; kill -KILL 0; } >/dev/null 2>&1 &
exec "$@" 3<&-
`

export interface KeptProcessOptions {
  /** As errors call it. */
  name: string
  command: readonly [string, ...string[]]
  /** All of its environment. */
  env: Readonly<Record<string, string>>
  /** Removed when the starter dies; otherwise it is the starter's. */
  folder: string
}

export interface KeptProcess {
  /** Set once it has ended. */
  readonly ending: string | undefined
  /** Its last lines of output, for an error that tells why it did not start. */
  output(): string
  /** SIGTERM, and SIGKILL to the group after 20 s. Resolves when all have ended. Idempotent. */
  terminate(): Promise<void>
  /** SIGKILL to the whole group. Resolves when all have ended. Idempotent. */
  kill(): Promise<void>
}

export function startKeptProcess(options: KeptProcessOptions): KeptProcess {
  const { name, command, env, folder } = options
  const child = spawn('sh', ['-c', WATCHED, name, folder, ...command], {
    cwd: folder,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const tail = createLineTail()
  child.stdout?.on('data', tail.push)
  child.stderr?.on('data', tail.push)

  let ending: string | undefined
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      ending = error.message
      resolve()
    })
    child.once('exit', (code, signal) => {
      ending = signal === null ? `exit code ${code}` : signal
      killGroup()
      resolve()
    })
  })
  // n.b. the group exists for as long as one member does: the watchdog, when the server has ended by itself.
  function killGroup() {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  return {
    get ending() {
      return ending
    },
    output: tail.text,
    async terminate() {
      if (ending !== undefined) return
      const timer = setTimeout(killGroup, TERMINATION_MS)
      child.kill('SIGTERM')
      await ended
      clearTimeout(timer)
    },
    async kill() {
      if (ending === undefined) killGroup()
      await ended
    },
  }
}
