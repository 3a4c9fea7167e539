/** What applying chains would change: each compared with what the account has, in its full form, in which defaults are written out. */
import { isDeepStrictEqual } from 'node:util'
import { checkChain } from '@signalbox/chains'
import {
  type CatalogEntry,
  type Chain,
  catalogEntrySchema,
  chainSchema,
  type FieldError,
} from '@signalbox/contracts'
import { type Api, understood } from '../api/api.ts'
import { InputError } from '../failure.ts'
import type { WrittenChain } from './chain-files.ts'

export type Change = 'created' | 'changed' | 'unchanged'

export interface PlannedChain extends WrittenChain {
  change: Change
  /** As the account has it. */
  before?: Chain
}

/** Also checks them against the handlers that there are. Throws `InputError` with every fault of every chain. */
export async function planChains(
  written: readonly WrittenChain[],
  api: Pick<Api, 'find' | 'list'>,
): Promise<PlannedChain[]> {
  const planned: PlannedChain[] = []
  for (const one of written) {
    const found = await api.find(chainPath(one.chainId))
    if (found === undefined) {
      planned.push({ ...one, change: 'created' })
      continue
    }
    const before = understood(chainSchema, found, `the chain "${one.chainId}"`)
    const change = isDeepStrictEqual(before, one.chain) ? 'unchanged' : 'changed'
    planned.push({ ...one, change, before })
  }
  await requireSound(planned, api)
  return planned
}

export function chainPath(chainId: string): string {
  return `/chains/${encodeURIComponent(chainId)}`
}

/** n.b. before the first is sent, so that a fault in the last leaves nothing half done. */
async function requireSound(
  planned: readonly PlannedChain[],
  api: Pick<Api, 'list'>,
): Promise<void> {
  const news = planned.filter(({ change }) => change !== 'unchanged')
  if (news.length === 0) return
  const catalog: CatalogEntry[] = []
  for await (const item of api.list('/handlers')) {
    catalog.push(understood(catalogEntrySchema, item, 'GET /handlers'))
  }
  const faults: FieldError[] = news.flatMap(({ chain, where }) =>
    checkChain(chain, catalog).map(({ path, message }) => ({ path: `${where}: ${path}`, message })),
  )
  if (faults.length > 0) throw new InputError('nothing was sent: the chains are not valid', faults)
}
