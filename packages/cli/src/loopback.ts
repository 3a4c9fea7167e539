/** Whether a URL names this machine and no other. */
import { isIP } from 'node:net'

/** Empty for a text that is no URL. */
export function hostOf(url: string): string {
  return URL.parse(url)?.hostname.replace(/^\[|\]$/g, '') ?? ''
}

export function isLoopback(url: string): boolean {
  const host = hostOf(url)
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
