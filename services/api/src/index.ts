/** The HTTP API. */

export { type Api, type ApiDeps, type ApiOptions, createApi } from './app.ts'
export { config } from './config.ts'
export { buildOpenApi } from './openapi.ts'
