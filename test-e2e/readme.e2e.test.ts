/** What the README says to copy and paste, taken out of it and run. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { waitFor } from '@signalbox/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const readme = await readFile('README.md', 'utf8')
const stack = new AsyncDisposableStack()
let standalone: Shell

beforeAll(async () => {
  standalone = stack.use(shell('npm start', { SIGNALBOX_HANDLERS: 'examples/shout.ts' }))
  await standalone.prints(/Signalbox is ready/)
})
afterAll(() => stack.disposeAsync())

describe('the README', () => {
  it('publishes an event that becomes a contact, and shows what became of it', async () => {
    const published = await run(block('publish'))
    const { event_ids } = JSON.parse(published) as { event_ids: string[] }
    expect(event_ids).toHaveLength(1)
    await waitFor(
      async () => {
        const output = await run(block('biography'))
        return output.includes('"outcome":"succeeded"') && output.includes('+27820000001')
      },
      { what: 'the event to succeed and its contact to be there' },
    )
  })

  it('shows a state change live', async () => {
    await using watch = shell(block('watch'))
    await watch.prints(/"status":200|subscribed|watching/i)
    await run(block('state-change'))
    await watch.prints(
      /"entity":"flow","id":"f1","identifier":"spring-poll","state":"completed","previous_state":"active"/,
    )
  })

  it('has the handler of the example file, and a chain that uses it', async () => {
    expect(block('file examples/shout.ts')).toBe(await readFile('examples/shout.ts', 'utf8'))
    expect(JSON.parse(await run(block('chain')))).toMatchObject({
      chain_id: 'shout-it',
      version: 1,
    })
  })

  it('prints commands at its start that work as they are printed', async () => {
    const [publish] = /curl -s [\s\S]*?poll_complete[\s\S]*?'\n/.exec(standalone.output()) ?? []
    expect(JSON.parse(await run(publish!))).toMatchObject({ event_ids: [expect.any(String)] })
    expect(standalone.output()).toContain('The memory engine forgets everything when it stops')
  })

  it('links to files that exist', async () => {
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path]) => path!)
    expect(links.length).toBeGreaterThan(10)
    for (const path of new Set(links))
      await expect(readFile(path).then(() => path)).resolves.toBe(path)
  })
})

/** The fenced block behind the marker `<!-- readme-test: NAME -->`. */
function block(name: string): string {
  const marker = `<!-- readme-test: ${name} -->\n`
  const start = readme.indexOf(marker)
  if (start < 0) throw new Error(`README.md has no block "${name}"`)
  const [, content] = /^```\w+\n([\s\S]*?)```/.exec(readme.slice(start + marker.length)) ?? []
  if (content === undefined) throw new Error(`README.md has no fence behind "${name}"`)
  return content
}

interface Shell extends AsyncDisposable {
  output(): string
  /** Resolves when the output matches. */
  prints(pattern: RegExp): Promise<void>
}

/** A command as a person types it; ended with its whole process group. */
function shell(command: string, env: Record<string, string> = {}): Shell {
  const child: ChildProcess = spawn('bash', ['-c', command], {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    output: () => text,
    async prints(pattern) {
      await waitFor(() => pattern.test(text) || child.exitCode !== null, {
        what: `${command} to print ${pattern}`,
        timeoutMs: 60_000,
      })
      if (!pattern.test(text))
        throw new Error(`${command} ended without printing ${pattern}:\n${text}`)
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGTERM')
      await ended
    },
  }
}

async function run(command: string): Promise<string> {
  const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`exit ${String(code)}: ${command}`)
  return output
}
