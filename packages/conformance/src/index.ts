/** Whether workers and edges of any making keep the wire contract. */

export { type EdgeConformanceOptions, edgeConformance } from './edge/edge-conformance.ts'
export { EDGE_RULES, type EdgeRuleId } from './edge/edge-rules.ts'
export type { RuleResult } from './rule.ts'
export { type RuleId, WORKER_RULES } from './rules.ts'
export { type WorkerConformanceOptions, workerConformance } from './worker-conformance.ts'
