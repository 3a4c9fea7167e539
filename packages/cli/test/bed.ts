/** The command as a test runs it: in this process, with its output caught; and an API of one's own to run it against. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { runCommand } from '../src/run-command.ts'

export interface RunOptions {
  env?: Record<string, string>
  stdin?: string
  signal?: AbortSignal
}

export interface Running {
  stdout(): string
  stderr(): string
  /** Of stdout, each line as JSON. */
  objects(): Record<string, unknown>[]
  code: Promise<number>
}

export function start(args: readonly string[], options: RunOptions = {}): Running {
  const { env = {}, stdin = '', signal = new AbortController().signal } = options
  const written = { stdout: '', stderr: '' }
  const code = runCommand(args, {
    env,
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout: { write: (part) => (written.stdout += part) },
    stderr: { write: (part) => (written.stderr += part) },
    signal,
  })
  return {
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    objects: () =>
      written.stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    code,
  }
}

export async function run(args: readonly string[], options: RunOptions = {}) {
  const running = start(args, options)
  const code = await running.code
  return {
    code,
    stdout: running.stdout(),
    stderr: running.stderr(),
    get objects() {
      return running.objects()
    },
  }
}

export interface Received {
  method: string
  url: string
  headers: IncomingMessage['headers']
  body: string
}

export interface Answer {
  status: number
  body?: unknown
  headers?: Record<string, string>
}

export interface TestServer extends AsyncDisposable {
  url: string
  received: Received[]
}

/** Answers as `answer` says, on a port of its own. */
export async function serve(answer: (request: Received) => Answer): Promise<TestServer> {
  const received: Received[] = []
  const server = createServer((request, response) => void reply(request, response))
  async function reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const one = {
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      body: await text(request),
    }
    received.push(one)
    const { status, body, headers = {} } = answer(one)
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body))
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function problem(status: number, code: string, rest: object = {}): Answer {
  const body = { type: `urn:signalbox:error:${code}`, title: 'No', status, code, ...rest }
  return { status, body, headers: { 'content-type': 'application/problem+json' } }
}
