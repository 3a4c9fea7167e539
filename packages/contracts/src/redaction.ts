/** Which headers carry credentials, and what is shown in their place. */

export const REDACTED = '***'

/** Shown of a header's value; nobody needs more to see what was sent. */
const MAX_SHOWN_CHARS = 256

const CREDENTIAL_NAME =
  /^(proxy-)?authorization$|^(set-)?cookie2?$|key$|token|secret|passw(or)?d|credential|signature|^auth$|-auth(-|$)/i

/** By its name alone: `authorization`, `cookie`, `x-auth-token`, `api-key`, and what has `token` or `secret` in it. */
export function isCredentialName(name: string): boolean {
  return CREDENTIAL_NAME.test(name)
}

/** Headers as a delivery shows them: credentials, and those named in `secret`, as `***`; long values cut. */
export function shownHeaders(
  headers: Readonly<Record<string, string>>,
  secret: Iterable<string> = [],
): Record<string, string> {
  const hidden = new Set([...secret].map((name) => name.toLowerCase()))
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      if (hidden.has(name.toLowerCase()) || isCredentialName(name)) return [name, REDACTED]
      return [name, value.length > MAX_SHOWN_CHARS ? `${value.slice(0, MAX_SHOWN_CHARS)}…` : value]
    }),
  )
}

/** Headers apart: those that may be shown and those that are sealed, whose place `***` takes. */
export function splitHeaders(
  headers: Readonly<Record<string, string>>,
  secretHeaders: Readonly<Record<string, string>> = {},
): { shown: Record<string, string>; secrets: Record<string, string> } {
  const shown: Record<string, string> = {}
  const secrets: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (isCredentialName(name)) secrets[`headers.${name.toLowerCase()}`] = value
    shown[name] = isCredentialName(name) ? REDACTED : value
  }
  for (const [name, value] of Object.entries(secretHeaders)) {
    secrets[`secret_headers.${name.toLowerCase()}`] = value
  }
  return { shown, secrets }
}

/** `***` for each. */
export function redactedValues(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, REDACTED]))
}

/** Headers without those whose value was taken out: what a chain may hold. */
export function withoutRedacted(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== REDACTED))
}
