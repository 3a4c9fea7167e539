/** Whether workers of any language keep the wire contract. */

export { type RuleId, type RuleResult, WORKER_RULES } from './rules.ts'
export { type WorkerConformanceOptions, workerConformance } from './worker-conformance.ts'
