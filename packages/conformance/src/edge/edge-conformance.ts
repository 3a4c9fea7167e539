/** Whether an edge keeps the protocol that docs/websocket-protocol.md promises to authors of clients: seen from outside, as a client. */
import { type RuleResult, resultOf } from '../rule.ts'
import * as events from './checks/events.ts'
import * as frames from './checks/frames.ts'
import * as handshake from './checks/handshake.ts'
import * as limits from './checks/limits.ts'
import * as resuming from './checks/resuming.ts'
import * as states from './checks/states.ts'
import * as tokens from './checks/tokens.ts'
import { createEdgeBench, type EdgeBench, type EdgeConformanceOptions } from './edge-bench.ts'
import { EDGE_RULES, type EdgeRuleId } from './edge-rules.ts'

export type { EdgeConformanceOptions } from './edge-bench.ts'

/** Throws `Violation` or `NotChecked`; whatever else it throws is no verdict on the edge. */
export type EdgeCheck = (bench: EdgeBench) => Promise<void>

const CHECKS: Readonly<Record<EdgeRuleId, EdgeCheck>> = {
  'takes-token-in-header': handshake.takesTokenInHeader,
  'takes-token-in-subprotocols': handshake.takesTokenInSubprotocols,
  'takes-token-in-query': handshake.takesTokenInQuery,
  'refuses-bad-tokens': handshake.refusesBadTokens,
  'refuses-plain-http': handshake.refusesPlainHttp,
  'answers-exactly': frames.answersExactly,
  'answers-in-order': frames.answersInOrder,
  'echoes-request-id': frames.echoesRequestId,
  'ignores-unknown-fields': frames.ignoresUnknownFields,
  'refuses-not-json': frames.refusesNotJson,
  'refuses-wrong-shape': frames.refusesWrongShape,
  'refuses-unknown-action': frames.refusesUnknownAction,
  'refuses-binary': limits.refusesBinary,
  'closes-too-large': limits.closesTooLarge,
  'closes-not-utf8': limits.closesNotUtf8,
  'keeps-persons-apart': states.keepsPersonsApart,
  'shows-changes': states.showsChanges,
  'subscribes-idempotently': states.subscribesIdempotently,
  'unsubscribes-idempotently': states.unsubscribesIdempotently,
  'separates-entities': states.separatesEntities,
  'gives-cursors': resuming.givesCursors,
  'recovers-missed': resuming.recoversMissed,
  'tells-unrecovered': resuming.tellsUnrecovered,
  'refuses-no-cursor': resuming.refusesNoCursor,
  'resumes-idempotently': resuming.resumesIdempotently,
  'gives-snapshot': resuming.givesSnapshot,
  'keeps-order-over-reconnects': resuming.keepsOrderOverReconnects,
  'shows-events': events.showsEvents,
  'filters-events': events.filtersEvents,
  'refuses-bad-filter': events.refusesBadFilter,
  'requires-selector': events.requiresSelector,
  'unsubscribes-events': events.unsubscribesEvents,
  'lists-subscriptions': events.listsSubscriptions,
  'refreshes-token': tokens.refreshesToken,
  'refuses-bad-refresh': tokens.refusesBadRefresh,
  'closes-at-expiry': tokens.closesAtExpiry,
  'closes-slow-consumer': limits.closesSlowConsumer,
}

/** Yields one result for each rule, in the order of `EDGE_RULES`. Throws `UnavailableError` when the edge or the API cannot be reached. */
export async function* edgeConformance(
  options: EdgeConformanceOptions,
): AsyncGenerator<RuleResult<EdgeRuleId>, void, undefined> {
  const bench = createEdgeBench(options)
  for (const [id, check] of Object.entries(CHECKS) as [EdgeRuleId, EdgeCheck][]) {
    yield await resultOf(id, EDGE_RULES[id], () => check(bench))
  }
}
