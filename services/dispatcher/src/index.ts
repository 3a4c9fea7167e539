/** The dispatcher service, for whoever composes it. */

export { createDispatcher, type DispatcherDeps, type DispatcherOptions } from './app.ts'
export { config, type DispatcherConfig } from './config.ts'
