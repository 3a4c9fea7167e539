/**
 * Matching: which chains an event starts, and why the near ones do not.
 *
 * An index holds one account's chains by kind of event and conversation, so that a match looks at the chains that may fit and
 * never at all of them: 100,000 chains for 100,000 conversations cost as much as one. Conditions are evaluated for those only.
 */
import type { StoredChain, Trigger, VumiApiEvent } from '@signalbox/contracts'
import { compileCondition } from '@signalbox/expressions'
import { AppError } from '@signalbox/kit'
import { eventTypesOfTrigger } from './event-pattern.ts'

/** More near misses than this help nobody. */
const MAX_NEAR_MISSES = 20

const WILDCARD = '*'

export interface NearMiss {
  chain_id: string
  name: string
  /** In words, with the values. */
  reason: string
}

export interface MatchOutcome {
  /** The chains to run, by chain_id. */
  matched: StoredChain[]
  /** True: `matched` is the default chain, because no other matched. */
  byDefault: boolean
  notMatched: NearMiss[]
  /** In words, when nothing matched. */
  reason?: string
}

export interface ChainIndex {
  /** Puts a chain in, in the place of its earlier version. */
  upsert(chain: StoredChain): void
  remove(chainId: string): void
  readonly size: number
  /** Pure: the same event and index give the same outcome. A condition that cannot be evaluated does not match, and its reason says so. */
  match(event: VumiApiEvent): MatchOutcome
}

/** The chains of one kind of event. */
interface Bucket {
  anyConversation: Map<string, StoredChain>
  byConversation: Map<string, Map<string, StoredChain>>
}

export function createChainIndex(): ChainIndex {
  const chains = new Map<string, StoredChain>()
  const defaults = new Map<string, StoredChain>()
  const buckets = new Map<string, Bucket>()

  function remove(chainId: string): void {
    const chain = chains.get(chainId)
    if (!chain) return
    chains.delete(chainId)
    const { trigger } = chain
    if ('default' in trigger) {
      defaults.delete(chainId)
      return
    }
    for (const kind of kindsOf(trigger)) removeFrom(kind, trigger.conversation_key, chainId)
  }

  function removeFrom(kind: string, conversationKey: string | undefined, chainId: string): void {
    const bucket = buckets.get(kind)
    if (!bucket) return
    if (conversationKey === undefined) {
      bucket.anyConversation.delete(chainId)
    } else {
      const ofConversation = bucket.byConversation.get(conversationKey)
      ofConversation?.delete(chainId)
      if (ofConversation?.size === 0) bucket.byConversation.delete(conversationKey)
    }
    if (bucket.anyConversation.size === 0 && bucket.byConversation.size === 0) buckets.delete(kind)
  }

  function upsert(chain: StoredChain): void {
    remove(chain.chain_id)
    chains.set(chain.chain_id, chain)
    const { trigger } = chain
    if ('default' in trigger) {
      defaults.set(chain.chain_id, chain)
      return
    }
    const { conversation_key } = trigger
    for (const kind of kindsOf(trigger)) {
      const bucket = entryOf(buckets, kind, () => ({
        anyConversation: new Map(),
        byConversation: new Map(),
      }))
      const home =
        conversation_key === undefined
          ? bucket.anyConversation
          : entryOf(bucket.byConversation, conversation_key, () => new Map())
      home.set(chain.chain_id, chain)
    }
  }

  function bucketsFor(event: VumiApiEvent): Bucket[] {
    return [event.conversation_type, WILDCARD]
      .flatMap((type) =>
        [event.event_type, WILDCARD].map((eventType) => buckets.get(`${type}.${eventType}`)),
      )
      .filter((bucket) => bucket !== undefined)
  }

  function match(event: VumiApiEvent): MatchOutcome {
    const matched: StoredChain[] = []
    const notMatched: NearMiss[] = []
    const miss = (chain: StoredChain, reason: string) => {
      if (notMatched.length < MAX_NEAR_MISSES) {
        notMatched.push({ chain_id: chain.chain_id, name: chain.name, reason })
      }
    }
    const candidates = bucketsFor(event)
    for (const bucket of candidates) {
      const here = bucket.byConversation.get(event.conversation_key)?.values() ?? []
      for (const chain of [...bucket.anyConversation.values(), ...here]) {
        const reason = reasonAgainst(chain, event)
        if (reason === undefined) matched.push(chain)
        else miss(chain, reason)
      }
    }
    for (const chain of chainsOfOtherConversations(
      candidates,
      event,
      MAX_NEAR_MISSES - notMatched.length,
    )) {
      miss(chain, otherConversationReason(chain, event))
    }

    if (matched.length > 0) {
      matched.sort((a, b) => (a.chain_id < b.chain_id ? -1 : 1))
      return { matched, byDefault: false, notMatched }
    }
    const fallback = [...defaults.values()].filter((chain) => chain.enabled)
    if (fallback.length > 0) return { matched: fallback, byDefault: true, notMatched }
    return {
      matched: [],
      byDefault: false,
      notMatched,
      reason: unmatchedReason(event, chains.size, notMatched.length),
    }
  }

  return {
    upsert,
    remove,
    match,
    get size() {
      return chains.size
    },
  }
}

/** Why this chain, whose kind and conversation fit, is not run for the event; undefined when it is. */
function reasonAgainst(chain: StoredChain, event: VumiApiEvent): string | undefined {
  if (!chain.enabled) return 'the chain is not enabled'
  if ('default' in chain.trigger || chain.trigger.when === undefined) return undefined
  try {
    if (compileCondition(chain.trigger.when).evaluate({ event })) return undefined
    return `the condition is false: ${chain.trigger.when}`
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return `the condition cannot be evaluated: ${error.message}`
  }
}

function* chainsOfOtherConversations(
  candidates: readonly Bucket[],
  event: VumiApiEvent,
  limit: number,
): Generator<StoredChain> {
  let left = limit
  for (const bucket of candidates) {
    for (const [conversationKey, ofConversation] of bucket.byConversation) {
      if (conversationKey === event.conversation_key) continue
      for (const chain of ofConversation.values()) {
        if (left-- <= 0) return
        yield chain
      }
    }
  }
}

function otherConversationReason(chain: StoredChain, event: VumiApiEvent): string {
  const wanted = 'default' in chain.trigger ? '' : chain.trigger.conversation_key
  return `conversation_key is ${JSON.stringify(event.conversation_key)}, the trigger wants ${JSON.stringify(wanted)}`
}

function unmatchedReason(event: VumiApiEvent, chainCount: number, nearMissCount: number): string {
  if (chainCount === 0) return 'the account has no chains'
  const kind = kindOf(event)
  if (nearMissCount === 0)
    return `none of the account's ${chainCount} chains has a trigger for ${kind}`
  return `no chain with a trigger for ${kind} fits this event`
}

/** The kinds of events that a trigger takes; a chain is in the bucket of each, and an event looks at one of them. */
function kindsOf(trigger: Exclude<Trigger, { default: true }>): string[] {
  const { conversation_type } = trigger
  return eventTypesOfTrigger(trigger).map((event_type) => kindOf({ conversation_type, event_type }))
}

/** Names have no dots, so the pair reads one way only. */
function kindOf(of: { conversation_type: string; event_type: string }): string {
  return `${of.conversation_type}.${of.event_type}`
}

export function entryOf<Key, Value>(map: Map<Key, Value>, key: Key, create: () => Value): Value {
  let value = map.get(key)
  if (value === undefined) {
    value = create()
    map.set(key, value)
  }
  return value
}
