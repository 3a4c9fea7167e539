/** The edge: relay and WebSocket gateway. */

export { createEdge, type Edge, type EdgeDeps, type EdgeOptions } from './app.ts'
export { CLOSE_CODES, type CloseCode } from './close-codes.ts'
export { config } from './config.ts'
