/** Following an account's chains: from what somebody knows to what is stored now. */
import type { StoredChain } from '@signalbox/contracts'
import type { ChainStore } from './ports.ts'

/** What a reader of changes keeps. */
export interface ChainPicture {
  upsert(chain: StoredChain): void
  remove(chainId: string): void
  clear(): void
}

/**
 * Brings a picture that is at `revision` up to date and resolves with the revision it is at then. When it rejects, the picture may be
 * half-way: call again with the same revision, or with 0 and an empty picture. `pageSize` is 1 to 1,000, which is the default.
 */
export async function catchUp(
  chains: Pick<ChainStore, 'changesSince' | 'list'>,
  accountKey: string,
  revision: number,
  picture: ChainPicture,
  { pageSize = 1_000 }: { pageSize?: number } = {},
): Promise<number> {
  let reached = revision
  for (;;) {
    const changes = await chains.changesSince(accountKey, reached, pageSize)
    if (changes.restart) await readAll(chains, accountKey, picture, pageSize)
    for (const chainId of changes.deleted) picture.remove(chainId)
    for (const chain of changes.changed) picture.upsert(chain)
    reached = changes.revision
    if (!changes.more && !changes.restart) return reached
  }
}

async function readAll(
  chains: Pick<ChainStore, 'list'>,
  accountKey: string,
  picture: ChainPicture,
  limit: number,
): Promise<void> {
  picture.clear()
  let cursor: string | undefined
  do {
    const page = await chains.list(accountKey, cursor === undefined ? { limit } : { limit, cursor })
    for (const chain of page.items) picture.upsert(chain)
    cursor = page.next
  } while (cursor !== undefined)
}
