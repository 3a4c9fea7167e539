/** Tokens for subscribers: signed here when the secret is known, else asked of the api. */
import { issueToken } from '@signalbox/kit'
import type { GivenSystem } from './options.ts'
import type { Person } from './workload.ts'

const TTL_SECONDS = 2 * 60 * 60
const REQUEST_TIMEOUT_MS = 10_000

export type TokenFor = (person: Person) => Promise<string>

/** One per person, kept. Throws what the api answered, never a token. */
export function createTokens(
  system: Pick<GivenSystem, 'apiUrl' | 'adminKey' | 'tokenSecret'>,
): TokenFor {
  const kept = new Map<string, Promise<string>>()
  return (person) => {
    const key = `${person.accountKey}/${person.personKey}`
    const token = kept.get(key) ?? newToken(system, person)
    kept.set(key, token)
    token.catch(() => kept.delete(key))
    return token
  }
}

async function newToken(
  { apiUrl, adminKey, tokenSecret }: Parameters<typeof createTokens>[0],
  person: Person,
): Promise<string> {
  if (tokenSecret !== undefined) {
    return (await issueToken(tokenSecret, person, TTL_SECONDS)).token
  }
  const response = await fetch(`${apiUrl}/v1/accounts/${person.accountKey}/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey ?? ''}`, 'content-type': 'application/json' },
    body: JSON.stringify({ person_key: person.personKey, ttl_seconds: TTL_SECONDS }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  })
  if (!response.ok) throw new Error(`POST /tokens answered ${response.status}`)
  return ((await response.json()) as { token: string }).token
}
