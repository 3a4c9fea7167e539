/** What `-f` names: a file, or `-` for stdin. */
import { readFile, stat } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'
import { InputError } from './failure.ts'

/** More is read in parts. */
const MAX_INPUT_BYTES = 64 * 1024 * 1024

export interface InputDeps {
  stdin: Readable
  signal: AbortSignal
}

/** Throws `InputError` when it cannot be read, is too large or is not UTF-8. */
export async function readInput(path: string, { stdin, signal }: InputDeps): Promise<string> {
  const bytes = path === '-' ? await readStream(stdin, signal) : await readBoundedFile(path)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new InputError(`${nameOfInput(path)} is not UTF-8`)
  }
}

export function nameOfInput(path: string): string {
  return path === '-' ? 'stdin' : path
}

async function readBoundedFile(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path)
    if (size > MAX_INPUT_BYTES) throw tooLarge(path)
    return await readFile(path)
  } catch (error) {
    if (error instanceof InputError) throw error
    throw new InputError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

async function readStream(stdin: Readable, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of addAbortSignal(signal, stdin) as AsyncIterable<Buffer | string>) {
      const part = Buffer.from(chunk)
      bytes += part.length
      if (bytes > MAX_INPUT_BYTES) throw tooLarge('-')
      chunks.push(part)
    }
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
  return Buffer.concat(chunks)
}

function tooLarge(path: string): InputError {
  return new InputError(
    `${nameOfInput(path)} has more than ${MAX_INPUT_BYTES / 1024 / 1024} MiB; give it in parts`,
  )
}
