/** The standalone service, for tests that compose it. */

export { type Standalone, startStandalone } from './app.ts'
export { config, readStandaloneConfig, type StandaloneConfig } from './config.ts'
