/** Where a person's browser finds the edge. */

const EDGE_PORT = 8081

/**
 * The WebSocket URL for a page that was asked for at `pageHost` (the `Host` header, a port is ignored). A configured URL is
 * taken as it is, but for a wildcard host (`ws://0.0.0.0:8081`), which nobody can connect to: it reads as the page's own. Undefined when nothing
 * is configured and the header is no host name.
 */
export function edgeAddress(
  configuredUrl: string | undefined,
  page: { host: string; isSecure: boolean },
): string | undefined {
  const configured = configuredUrl === undefined ? undefined : new URL(configuredUrl)
  if (configured && !WILDCARD_HOSTS.has(configured.hostname)) return originOf(configured)
  const scheme = configured?.protocol ?? (page.isSecure ? 'wss:' : 'ws:')
  const own = /^[A-Za-z0-9.-]+(:\d+)?$|^\[[0-9a-fA-F:]+\](:\d+)?$/.test(page.host)
    ? URL.parse(`${scheme}//${page.host}`)
    : null
  if (!own) return undefined
  own.port = configured?.port ?? String(EDGE_PORT)
  return originOf(own)
}

const WILDCARD_HOSTS = new Set(['0.0.0.0', '[::]'])

const originOf = (url: URL): string => `${url.protocol}//${url.host}`
