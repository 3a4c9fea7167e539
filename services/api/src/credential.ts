/**
 * The credential of an account's API key, as its owner holds it: `sbk.<account_key>.<key_id>.<secret>`. The store keeps
 * the key and a hash of the secret; the credential itself is shown once.
 */
import { type ApiKey, type ApiScope, uuidv7 } from '@signalbox/contracts'
import { hashSecret, newSecret } from '@signalbox/kit'

export interface Credential {
  accountKey: string
  keyId: string
  secret: string
}

const CREDENTIAL = /^sbk\.([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{43})$/

/** Undefined: it does not have the shape of one. */
export function parseCredential(text: string): Credential | undefined {
  const [, accountKey, keyId, secret] = CREDENTIAL.exec(text) ?? []
  if (accountKey === undefined || keyId === undefined || secret === undefined) return undefined
  return { accountKey, keyId, secret }
}

export function issueApiKey(
  accountKey: string,
  { name, scopes }: { name: string; scopes: readonly ApiScope[] },
): { key: ApiKey; secretHash: string; credential: string } {
  const key: ApiKey = {
    key_id: uuidv7(),
    name,
    scopes: [...new Set(scopes)],
    created_at: new Date().toISOString(),
  }
  const secret = newSecret()
  return {
    key,
    secretHash: hashSecret(secret),
    credential: `sbk.${accountKey}.${key.key_id}.${secret}`,
  }
}
