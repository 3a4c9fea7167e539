/**
 * Loops: whether events that a chain's steps fire may start that chain again, by itself or through other chains.
 *
 * The graph is read off the chains of one account: a chain *fires* what its steps' handlers say they fire, and an event *starts*
 * the chains whose trigger takes it. What is not known before an event is there counts as possible: conditions may be true, templates
 * may become anything, and a handler that fires whatever its config says may fire anything. So a loop that is found may never
 * happen, but there is none that is not found: as long as the search was not cut. Runs are bounded by the hop limit in any case.
 */
import type { CatalogEntry, Step, StoredChain, Trigger } from '@signalbox/contracts'
import {
  ANY,
  FIRE_EVENT,
  idOf,
  kindOf,
  type Part,
  type Pattern,
  patternFiredBy,
  patternsOf,
} from './event-pattern.ts'
import { entryOf } from './matching.ts'

/** Looks at fired kinds and triggers before a search is cut: less than half a second, and enough for 100,000 chains that one event starts. */
const MAX_LOOKS = 250_000

export type LinkedChain = Pick<StoredChain, 'chain_id' | 'enabled' | 'trigger' | 'steps'>

export interface Loop {
  /** The chains by chain_id, from the one that was asked about back to it. */
  path: string[]
  /** The same with the kinds of events between them: `a -> (poll.poll_complete) -> b -> (sms.sent) -> a`. */
  description: string
}

export type LoopSearch =
  | { kind: 'none' }
  | { kind: 'loop'; loop: Loop }
  /** Nothing was found in as many looks as one search may take. */
  | { kind: 'cut'; looks: number }

export interface ChainGraph {
  /** Puts a chain in, in the place of its earlier version. */
  upsert(chain: LinkedChain): void
  remove(chainId: string): void
  readonly size: number
  /** The shortest loop that there would be through `chain` if it were in the graph, which it is not afterwards unless it was before. */
  findLoop(chain: LinkedChain, catalog: readonly CatalogEntry[]): LoopSearch
}

/** What is kept of a chain. */
interface Node {
  chainId: string
  trigger: Trigger
  /** The handlers of its steps; the catalog knows what they fire. */
  handlers: readonly string[]
  /** What its `fire_event` steps fire. */
  literal: readonly Pattern[]
}

/** Whether any step of the chain may fire an event at all: where none may, there is nothing to search. */
export function mayFire(chain: LinkedChain, catalog: readonly CatalogEntry[]): boolean {
  return firedBy(nodeOf(chain), byName(catalog)).length > 0
}

/** The chains with one trigger. Those without a condition surely take what fits, so that it does not reach the default chain. */
interface Leaf {
  conditional: Map<string, Node>
  unconditional: Map<string, Node>
}
type Triggers = Map<Part, Map<Part, Map<Part, Leaf>>>

interface Arrival {
  node: Node
  /** Absent at the start. */
  from?: { arrival: Arrival; fired: Pattern }
}

/** `maxLooks`: default 250,000. */
export function createChainGraph({ maxLooks = MAX_LOOKS } = {}): ChainGraph {
  const nodes = new Map<string, Node>()
  const defaults = new Map<string, Node>()
  const triggers: Triggers = new Map()

  function upsert(chain: LinkedChain): void {
    remove(chain.chain_id)
    if (chain.enabled) put(nodeOf(chain))
  }

  function put(node: Node): void {
    nodes.set(node.chainId, node)
    if ('default' in node.trigger) defaults.set(node.chainId, node)
    else for (const home of homesOf(node.trigger)) home.set(node.chainId, node)
  }

  function remove(chainId: string): void {
    const node = nodes.get(chainId)
    if (!node) return
    nodes.delete(chainId)
    if ('default' in node.trigger) {
      defaults.delete(chainId)
      return
    }
    for (const home of homesOf(node.trigger)) home.delete(chainId)
    for (const pattern of patternsOf(node.trigger)) prune(triggers, pattern)
  }

  function homesOf(trigger: Exclude<Trigger, { default: true }>): Map<string, Node>[] {
    return patternsOf(trigger).map(([type, event, conversation]) => {
      const ofType = entryOf(triggers, type, () => new Map())
      const ofKind = entryOf(ofType, event, () => new Map())
      const leaf = entryOf(ofKind, conversation, () => ({
        conditional: new Map(),
        unconditional: new Map(),
      }))
      return trigger.when === undefined ? leaf.unconditional : leaf.conditional
    })
  }

  function* startedBy(fired: Pattern, budget: Budget): Generator<Node> {
    for (const leaf of leavesFor(triggers, fired, overlapping, budget)) {
      yield* leaf.unconditional.values()
      yield* leaf.conditional.values()
    }
    const surelyTaken = leavesFor(triggers, fired, covering, budget).some(
      ({ unconditional }) => unconditional.size > 0,
    )
    if (!surelyTaken) yield* defaults.values()
  }

  function search(start: Node, catalog: ReadonlyMap<string, CatalogEntry>): LoopSearch {
    const budget: Budget = { looks: maxLooks }
    const arrivals: Arrival[] = [{ node: start }]
    const arrivedAt = new Set([start])
    const followed = new Set<string>()
    for (const arrival of arrivals) {
      for (const fired of firedBy(arrival.node, catalog)) {
        spend(budget)
        const id = idOf(fired)
        if (followed.has(id)) continue
        followed.add(id)
        for (const node of startedBy(fired, budget)) {
          if (spend(budget) <= 0) return { kind: 'cut', looks: maxLooks }
          if (node === start) {
            return { kind: 'loop', loop: loopOf({ node, from: { arrival, fired } }) }
          }
          if (arrivedAt.has(node)) continue
          arrivedAt.add(node)
          arrivals.push({ node, from: { arrival, fired } })
        }
      }
      if (budget.looks <= 0) return { kind: 'cut', looks: maxLooks }
    }
    return { kind: 'none' }
  }

  return {
    upsert,
    remove,
    get size() {
      return nodes.size
    },
    findLoop(chain, catalog) {
      if (!chain.enabled) return { kind: 'none' }
      const earlier = nodes.get(chain.chain_id)
      upsert(chain)
      try {
        return search(nodes.get(chain.chain_id)!, byName(catalog))
      } finally {
        remove(chain.chain_id)
        if (earlier) put(earlier)
      }
    },
  }
}

function nodeOf({ chain_id, trigger, steps }: LinkedChain): Node {
  const all = allSteps(steps)
  const literal = all.filter(({ handler }) => handler === FIRE_EVENT)
  return {
    chainId: chain_id,
    trigger,
    handlers: [...new Set(all.map(({ handler }) => handler))],
    literal: literal.map((step) => patternFiredBy(step, trigger)),
  }
}

function allSteps(steps: readonly Step[]): Step[] {
  return steps.flatMap((step) =>
    typeof step.on_error === 'object' ? [step, ...allSteps(step.on_error.steps)] : [step],
  )
}

function byName(catalog: readonly CatalogEntry[]): ReadonlyMap<string, CatalogEntry> {
  return new Map(catalog.map((entry) => [entry.name, entry]))
}

/** A handler that nobody knows any more runs nothing, so it fires nothing. */
function firedBy(
  { handlers, literal }: Node,
  catalog: ReadonlyMap<string, CatalogEntry>,
): readonly Pattern[] {
  return handlers.flatMap((handler): readonly Pattern[] => {
    const entry = catalog.get(handler)
    if (entry?.fires_any) return handler === FIRE_EVENT ? literal : [ANY]
    return (entry?.fires ?? []).map((kind) => [kind.conversation_type, kind.event_type, undefined])
  })
}

/** What is left of the looks that a search may take. */
interface Budget {
  looks: number
}

function spend(budget: Budget): number {
  budget.looks -= 1
  return budget.looks
}

/** Which entries of one level go on, for one part of a pattern. */
type Selection = <Value>(level: ReadonlyMap<Part, Value>, part: Part) => Iterable<Value>

/** Triggers that take some event of the pattern. */
const overlapping: Selection = (level, part) =>
  part === undefined ? level.values() : covering(level, part)

/** Triggers that take every event of the pattern. */
const covering: Selection = (level, part) =>
  (part === undefined ? [undefined] : [part, undefined]).flatMap((key) => level.get(key) ?? [])

function* leavesFor(
  triggers: Triggers,
  [type, event, conversation]: Pattern,
  selected: Selection,
  budget: Budget,
): Generator<Leaf> {
  for (const ofType of selected(triggers, type)) {
    for (const ofKind of selected(ofType, event)) {
      if (spend(budget) <= 0) return
      yield* selected(ofKind, conversation)
    }
    if (spend(budget) <= 0) return
  }
}

/** Drops what the removal of a trigger left empty. */
function prune(triggers: Triggers, [type, event, conversation]: Pattern): void {
  const ofType = triggers.get(type)
  const ofKind = ofType?.get(event)
  const leaf = ofKind?.get(conversation)
  if (!leaf || leaf.conditional.size + leaf.unconditional.size > 0) return
  ofKind?.delete(conversation)
  if (ofKind?.size === 0) ofType?.delete(event)
  if (ofType?.size === 0) triggers.delete(type)
}

function loopOf(last: Arrival): Loop {
  const path: string[] = []
  let description = ''
  let arrival: Arrival | undefined = last
  while (arrival) {
    const { node, from }: Arrival = arrival
    path.unshift(node.chainId)
    description = `${from ? ` -> (${kindOf(from.fired, node.trigger)}) -> ` : ''}${node.chainId}${description}`
    arrival = from?.arrival
  }
  return { path, description }
}
