/** A chain as text to compare by lines: YAML, its fields in the order in which people write them, and free ones by name. */
import type { Chain } from '@signalbox/contracts'
import { type Pair, stringify } from 'yaml'

/** The fields of chains, triggers, steps and retry policies. */
const ORDER = [
  'name',
  'enabled',
  'trigger',
  'default',
  'conversation_type',
  'event_type',
  'conversation_key',
  'id',
  'handler',
  'when',
  'config',
  'retry',
  'timeout_ms',
  'on_error',
  'steps',
]

export function chainText(chain: Chain): string {
  return stringify(chain, { sortMapEntries: inOrder, lineWidth: 0, aliasDuplicateObjects: false })
}

function inOrder(left: Pair, right: Pair): number {
  const [a, b] = [nameOf(left), nameOf(right)]
  return rankOf(a) - rankOf(b) || (a < b ? -1 : 1)
}

function nameOf({ key }: Pair): string {
  return String((key as { value?: unknown } | null)?.value ?? key)
}

function rankOf(name: string): number {
  const rank = ORDER.indexOf(name)
  return rank < 0 ? ORDER.length : rank
}
