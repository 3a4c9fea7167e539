/** Which command is meant, and what `signalbox` says of itself. A command is loaded when it is called for. */
import type { Command, CommandDeps } from './api-command.ts'
import { EXIT } from './exit-codes.ts'
import { tellFailure } from './failure.ts'
import { UsageError } from './usage-error.ts'

interface CommandEntry {
  summary: string
  load(): Promise<Command>
}

const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  'events publish': {
    summary: 'publish one event or many',
    load: async () => (await import('./events/publish.ts')).eventsPublish,
  },
  'events tail': {
    summary: 'show events as they happen',
    load: async () => (await import('./events/tail.ts')).eventsTail,
  },
  listen: {
    summary: 'forward events to a local URL, signed as callbacks are',
    load: async () => (await import('./listen/listen.ts')).listen,
  },
  'listener-add': {
    summary: 'register a callback for events',
    load: async () => (await import('./listeners/listener-add.ts')).listenerAdd,
  },
  'listener-list': {
    summary: 'show the listeners of the account',
    load: async () => (await import('./listeners/listener-list.ts')).listenerList,
  },
  'listener-remove': {
    summary: 'remove listeners',
    load: async () => (await import('./listeners/listener-remove.ts')).listenerRemove,
  },
  'chains apply': {
    summary: 'create and change chains as files say',
    load: async () => (await import('./chains/apply.ts')).chainsApply,
  },
  'chains diff': {
    summary: 'show what applying files would change',
    load: async () => (await import('./chains/diff.ts')).chainsDiff,
  },
  loadtest: {
    summary: 'put load on a system, and account for every event',
    load: async () => (await import('./loadtest/command.ts')).loadtest,
  },
  conformance: {
    summary: 'hold a handler worker or an edge to the wire contract',
    load: async () => (await import('./conformance/command.ts')).conformance,
  },
}

const HELP = ['help', '--help', '-h']
const COLUMN = 17

/** Resolves with the exit code; whatever goes wrong has been told. */
export async function runCommand(args: readonly string[], deps: CommandDeps): Promise<number> {
  const [first = 'help', second = ''] = args
  if (HELP.includes(first)) return say(usage(), deps)
  const name = [`${first} ${second}`, first].find((known) => Object.hasOwn(COMMANDS, known))
  const entry = name === undefined ? undefined : COMMANDS[name]
  const group = namesIn(first)
  if (!entry && group.length > 0 && (second === '' || HELP.includes(second))) {
    return say(groupUsage(first), deps)
  }
  try {
    if (name === undefined || !entry) {
      const what = group.length > 0 ? `${first} ${second}` : first
      throw new UsageError(`there is no command "${what}"`)
    }
    const command = await entry.load()
    return await command(args.slice(name.split(' ').length), deps)
  } catch (error) {
    return tellFailure(error, { command: name ?? '', asJson: false, stderr: deps.stderr })
  }
}

function say(text: string, { stdout }: Pick<CommandDeps, 'stdout'>): number {
  stdout.write(`${text}\n`)
  return EXIT.done
}

function namesIn(group: string): string[] {
  return Object.keys(COMMANDS).filter((name) => name.startsWith(`${group} `))
}

function linesOf(names: readonly string[]): string {
  return names.map((name) => `  ${name.padEnd(COLUMN)}${COMMANDS[name]?.summary}`).join('\n')
}

function groupUsage(group: string): string {
  return `Usage: signalbox ${group} <command> [options]

${linesOf(namesIn(group))}

signalbox ${group} <command> --help says more.`
}

function usage(): string {
  return `Usage: signalbox <command> [options]

${linesOf(Object.keys(COMMANDS))}
  ${'help'.padEnd(COLUMN)}this text

Where and as whom: SIGNALBOX_API_URL, SIGNALBOX_EDGE_URL, SIGNALBOX_API_KEY, SIGNALBOX_ACCOUNT, or the options of the same
names; without them a standalone on this machine (npm start), with its development key.

Exit codes: 0 done, 1 failed or different, 2 the command line or a file is wrong, 3 Signalbox refused, 4 it cannot be reached now.

signalbox <command> --help says more.`
}
