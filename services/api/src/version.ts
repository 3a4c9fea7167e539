/** What `GET /` says: who answers here, and where it is described. */
import packageJson from '../package.json' with { type: 'json' }

export const about = {
  name: 'signalbox',
  version: packageJson.version,
  openapi: '/openapi.json',
  docs: 'docs/http-api.md',
}
