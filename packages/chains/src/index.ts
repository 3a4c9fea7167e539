/** The pure heart: checking a chain, matching an event, advancing a run. */

export { checkChain } from './check.ts'
export { compileConfigSchema } from './config-schema.ts'
export {
  type ChainGraph,
  createChainGraph,
  type LinkedChain,
  type Loop,
  type LoopSearch,
  mayFire,
} from './cycles.ts'
export { type Fired, firedBy, loopError, stepIdOf } from './fired.ts'
export { type ChainIndex, createChainIndex, type MatchOutcome, type NearMiss } from './matching.ts'
export { passedFact } from './passed-fact.ts'
export {
  advanceRun,
  countedAnswer,
  MAX_DEFERRALS,
  type Move,
  type PassedStep,
  type RunError,
  resumeRun,
  startRun,
} from './run.ts'
