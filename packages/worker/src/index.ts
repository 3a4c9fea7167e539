/** The SDK for workers: define handlers, run them, take commands, publish events. */

export {
  type CommandDefinition,
  type CommandOf,
  type CommandsDeps,
  type CommandsOptions,
  consumeCommands,
} from './commands.ts'
export { HandlerError, type HandlerErrorOptions } from './fault.ts'
export {
  type Deferral,
  defer,
  defineHandler,
  type FiredKind,
  type Handler,
  type HandlerDefinition,
  type HandlerOutcome,
  type Invocation,
} from './handler.ts'
export {
  type HandlerDeps,
  type RunWorkerOptions,
  runWorker,
  type WorkerConfig,
  workerConfigShape,
} from './run-worker.ts'
export { createSource, type PublishOptions, type Source, type SourceDeps } from './source.ts'
export { createWorker, type Worker, type WorkerDeps, type WorkerOptions } from './worker.ts'
