/** For the tests of handler authors: run a handler, or a whole chain, in memory, exactly as it would run in production. */

export {
  type ChainTest,
  type ChainTestOutcome,
  type TestedDeadLetter,
  type TestedRun,
  type TestedStep,
  testChain,
} from './chain-harness.ts'
export {
  anEvent,
  type HandlerTest,
  type HandlerTestOutcome,
  testHandler,
} from './handler-harness.ts'
