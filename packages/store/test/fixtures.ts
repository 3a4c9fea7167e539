/** What the contract suites work with: chains, facts, and the listing of everything. */
import type { BiographyFact, Chain, Delivery, Json, Listener } from '@signalbox/contracts'
import fc from 'fast-check'
import type { NewDeadLetter, Page, PageOptions, Store, StoreBounds } from '../src/index.ts'

export interface Engine {
  /** A store with bounds of its own; the caller closes it. */
  open(bounds?: StoreBounds): Store
  /** How often a property is tried. */
  runs: number
}

let accounts = 0

/** An account that nobody has used. */
export function freshAccount(): string {
  accounts += 1
  return `account-${accounts}`
}

export function chainNamed(name: string, overrides: Partial<Chain> = {}): Chain {
  return {
    name,
    enabled: true,
    trigger: { conversation_type: 'poll', event_type: 'poll_complete' },
    steps: [{ id: 'only', handler: 'log', config: {}, on_error: 'stop' }],
    ...overrides,
  }
}

export function defaultChain(overrides: Partial<Chain> = {}): Chain {
  return chainNamed('default', { trigger: { default: true }, ...overrides })
}

export const AT = '2026-03-04T05:06:07.890Z'

export function received(eventId: string, fields: Record<string, Json> = {}): BiographyFact {
  return {
    fact: 'received',
    at: AT,
    event: {
      event_id: eventId,
      account_key: 'acc',
      conversation_key: 'spring-poll',
      conversation_type: 'poll',
      event_type: 'poll_complete',
      event_data: {},
      timestamp: AT,
      ...fields,
    },
  }
}

export function matched(...runIds: string[]): BiographyFact {
  return {
    fact: 'matched',
    at: AT,
    matched: runIds.map((run_id) => ({ chain_id: 'c', name: 'C', version: 1, run_id })),
    not_matched: [],
    by_default: false,
  }
}

export function step(runId: string, stepId: string): BiographyFact {
  return {
    fact: 'step',
    at: AT,
    run_id: runId,
    step_id: stepId,
    handler: 'log',
    attempt: 1,
    status: 'succeeded',
    duration_ms: 1.5,
  }
}

export function ended(runId: string): BiographyFact {
  return { fact: 'run_ended', at: AT, run_id: runId, outcome: 'succeeded' }
}

export function deadLetter(
  accountKey: string,
  id: string,
  fields: Partial<NewDeadLetter> = {},
): NewDeadLetter {
  return {
    dead_letter_id: id,
    account_key: accountKey,
    code: 'GATEWAY',
    message: 'it said 500',
    at: AT,
    about: 'invocation',
    exchange: 'signalbox.handlers',
    routing_key: 'send_sms',
    body: { json: { id } },
    ...fields,
  }
}

export function aListener(id: string, overrides: Partial<Listener> = {}): Listener {
  return {
    listener_id: id,
    name: `Listener ${id}`,
    callback: { type: 'http', url: 'https://example.org/hook', headers: { authorization: '***' } },
    state: 'active',
    created_at: AT,
    updated_at: AT,
    version: 1,
    ...overrides,
  }
}

export function aDelivery(id: string, overrides: Partial<Delivery> = {}): Delivery {
  return {
    delivery_id: id,
    listener_id: 'shop',
    event_id: 'event',
    conversation_type: 'poll',
    conversation_key: 'spring',
    event_type: 'poll_complete',
    run_id: 'run',
    invocation_id: 'invocation',
    attempt: 1,
    at: AT,
    duration_ms: 12,
    outcome: 'delivered',
    status: 200,
    request: { method: 'POST', url: 'https://example.org/', headers: { authorization: '***' } },
    ...overrides,
  }
}

/** Every page after the other; `pages` says how many there were. */
export async function readAll<Item>(
  list: (options: PageOptions) => Promise<Page<Item>>,
  limit?: number,
): Promise<{ items: Item[]; pages: number }> {
  const items: Item[] = []
  let pages = 0
  let cursor: string | undefined
  do {
    const page = await list({
      ...(limit === undefined ? {} : { limit }),
      ...(cursor === undefined ? {} : { cursor }),
    })
    items.push(...page.items)
    pages += 1
    cursor = page.next
  } while (cursor !== undefined)
  return { items, pages }
}

/** Values of every shape that JSON has, with any text in them; as they read after a trip through JSON (which knows no -0). */
export const anyJson = (): fc.Arbitrary<Json> =>
  fc
    .oneof(
      fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 4 }),
      fc.jsonValue({ stringUnit: 'binary-ascii', maxDepth: 4 }),
    )
    .map((value) => JSON.parse(JSON.stringify(value)) as Json)

/** Where re-encoding goes wrong: empty containers, nulls, precise numbers, separators, text beyond ASCII. */
export const HARD_JSON: Json = {
  empty_list: [],
  empty_object: {},
  nothing: null,
  list_of_nothing: [null, [], {}],
  large: 9_007_199_254_740_991,
  larger: 1.7976931348623157e308,
  small: 5e-324,
  precise: 0.1,
  'key with space\nand line': 'a\u0000b\n\r\t"\\/ \u2028',
  unicode: 'Nkosi sikelel’ 你好 🦁 \u{10ffff}',
  lone: '\ud800',
  '': '',
  '1': 'integer-like',
}
