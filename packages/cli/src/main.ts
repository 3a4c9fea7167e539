#!/usr/bin/env node
/** The `signalbox` command. Exit codes: 0 done, 1 failed, 2 the command line is wrong. */
import { conformance } from './conformance/command.ts'
import { type CommandDeps, loadtest } from './loadtest/command.ts'
import { UsageError } from './usage-error.ts'

const USAGE = `Usage: signalbox <command> [options]

  loadtest     put load on a system, and account for every event
  conformance  hold a handler worker or an edge to the wire contract
  help         this text

signalbox <command> --help says more.`

const COMMANDS: Readonly<
  Record<string, (args: readonly string[], deps: CommandDeps) => Promise<number>>
> = { loadtest, conformance }

process.exit(await run(process.argv.slice(2)))

async function run([name = 'help', ...args]: string[]): Promise<number> {
  if (name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(`${USAGE}\n`)
    return 0
  }
  const interrupted = new AbortController()
  // n.b. the first ends the work in order; a second one ends the process at once.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupted.abort(new Error(`ended by ${signal}`)))
  }
  try {
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (!command) throw new UsageError(`there is no command "${name}"`)
    return await command(args, {
      env: process.env,
      stdout: process.stdout,
      stderr: process.stderr,
      signal: interrupted.signal,
    })
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(
        `${error.message}\n\nsignalbox ${Object.hasOwn(COMMANDS, name) ? `${name} ` : ''}--help says what there is.\n`,
      )
      return 2
    }
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}
