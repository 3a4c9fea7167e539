/**
 * A process that cannot outlive whoever started it.
 *
 * It leads a process group of its own, in which a watchdog reads a pipe that only the starter holds open. However the starter
 * ends, SIGKILL included, the pipe ends with it; the watchdog then removes the process's folder and kills the group.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Writable } from 'node:stream'
import { createLineTail } from './line-tail.ts'

/** Arguments: the folder to remove (or nothing), then the command. The pipe is descriptor 3. */
const WATCHED = `
folder=$1
shift
{ cat <&3; test -z "$folder" || rm -rf "$folder"; kill -KILL 0; } >/dev/null 2>&1 &
exec "$@" 3<&-
`

export interface KeptProcessOptions {
  /** As errors call it. */
  name: string
  command: readonly [string, ...string[]]
  /** All of its environment. */
  env: Readonly<Record<string, string>>
  /** Where it works; removed when the starter dies, otherwise the starter's to remove. Default: the starter's own, kept. */
  folder?: string
  /** Told of each whole line of its standard output; those of a process that died suddenly come too. */
  onLine?: (line: string) => void
}

export interface KeptProcess {
  readonly name: string
  /** Undefined when it could not be started: then it has `ended` with the reason. */
  readonly pid: number | undefined
  /** How it ended: "exit code 1", "SIGTERM"; undefined while it runs. */
  readonly ending: string | undefined
  /** Resolves with `ending`; never rejects. */
  readonly ended: Promise<string>
  /** Its last lines of output, for an error that tells why it did not do what it should. */
  output(): string
  /** To the process itself. False: it has ended. */
  signal(signal: NodeJS.Signals): boolean
  /** SIGTERM, and SIGKILL to the group after `withinMs`. Resolves when all have ended. Idempotent. */
  terminate(withinMs: number): Promise<void>
  /** SIGKILL to the whole group. Resolves when all have ended. Idempotent. */
  kill(): Promise<void>
}

export function startKeptProcess(options: KeptProcessOptions): KeptProcess {
  const { name, command, env, folder, onLine } = options
  const child = spawn('sh', ['-c', WATCHED, name, folder ?? '', ...command], {
    cwd: folder,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const lifeline = child.stdio[3] as Writable
  const tail = createLineTail()
  child.stdout?.on('data', tail.push)
  child.stderr?.on('data', tail.push)
  if (onLine && child.stdout) createInterface({ input: child.stdout }).on('line', onLine)

  let ending: string | undefined
  const ended = new Promise<string>((resolve) => {
    const end = (how: string) => {
      ending = how
      resolve(how)
    }
    child.once('error', (error) => end(error.message))
    // n.b. `close` comes when nobody holds the output any more: when the last of the group has ended.
    child.once('close', (code, signal) => end(signal ?? `exit code ${code}`))
  })
  child.once('exit', () => {
    killGroup()
    lifeline.destroy()
  })
  // n.b. the group exists for as long as one member does: the watchdog, when the process has ended by itself.
  function killGroup() {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  return {
    name,
    pid: child.pid,
    get ending() {
      return ending
    },
    ended,
    output: tail.text,
    signal: (signal) => child.kill(signal),
    async terminate(withinMs) {
      const timer = setTimeout(killGroup, withinMs)
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
