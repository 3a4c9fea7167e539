/** The chains that files describe, checked as far as that needs no API. */
import { basename, extname } from 'node:path'
import { type Chain, chainSchema, type FieldError, nameSchema } from '@signalbox/contracts'
import { fieldErrorsOf } from '@signalbox/kit'
import { documentsOf, type PlacedDocument } from '../documents/documents.ts'
import { InputError } from '../failure.ts'
import { type InputDeps, nameOfInput, readInput } from '../input-file.ts'

export interface WrittenChain {
  chainId: string
  chain: Chain
  where: string
}

/** Throws `InputError` with every fault of every file. */
export async function readChains(
  files: readonly string[],
  deps: InputDeps,
): Promise<WrittenChain[]> {
  const written: WrittenChain[] = []
  const faults: FieldError[] = []
  for (const file of files) {
    const documents = documentsOf(await readInput(file, deps), nameOfInput(file))
    const fileId = documents.length === 1 && file !== '-' ? idOfFile(file) : undefined
    for (const document of documents) {
      const outcome = chainOf(document, fileId)
      if ('faults' in outcome) faults.push(...outcome.faults)
      else written.push(outcome)
    }
  }
  faults.push(...repeatedIds(written))
  if (faults.length > 0) throw new InputError('nothing was sent: the chains are not valid', faults)
  return written
}

/** `thanks.yaml` is the chain `thanks` unless it says otherwise. */
function idOfFile(file: string): string {
  return basename(file, extname(file))
}

function chainOf(
  { value, where }: PlacedDocument,
  fileId: string | undefined,
): WrittenChain | { faults: FieldError[] } {
  const faultAt = (path: string, message: string): FieldError => ({
    path: path === '' ? where : `${where}: ${path}`,
    message,
  })
  const outcome = chainSchema.safeParse(value)
  if (!outcome.success) {
    return {
      faults: fieldErrorsOf(outcome.error).map(({ path, message }) => faultAt(path, message)),
    }
  }
  const id = nameSchema.safeParse((value as { chain_id?: unknown }).chain_id ?? fileId)
  if (id.success) return { chainId: id.data, chain: outcome.data, where }
  const message =
    fileId === undefined ? 'is required' : `is required: the file's name "${fileId}" cannot be one`
  return { faults: [faultAt('chain_id', message)] }
}

function repeatedIds(written: readonly WrittenChain[]): FieldError[] {
  const firstOf = new Map<string, string>()
  return written.flatMap(({ chainId, where }) => {
    const first = firstOf.get(chainId)
    if (first === undefined) {
      firstOf.set(chainId, where)
      return []
    }
    return [{ path: where, message: `has the chain_id "${chainId}" as ${first} has` }]
  })
}
