/** The edge: relay and WebSocket gateway. */

export { createEdge, type Edge, type EdgeDeps } from './app.ts'
export { CLOSE_CODES, type CloseCode } from './close-codes.ts'
export { config, edgeOptionsOf } from './config.ts'
export type { EdgeOptions } from './options.ts'
