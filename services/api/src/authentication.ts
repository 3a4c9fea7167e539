/**
 * Who calls, and whether they may.
 *
 * | credential                    | answer                                       |
 * | ----------------------------- | -------------------------------------------- |
 * | none, or not valid            | 401, the same whatever is wrong with it      |
 * | the admin key                 | everything                                   |
 * | a key of another account      | 403, whether or not the account is in use    |
 * | a key of the installation's   | 403: what has no account is the admin key's  |
 * | a key without the scope       | 403, which names the scope                   |
 * | a key, but Redis is away      | 503: that it cannot be checked is not a "no" |
 */
import { type ApiKey, type ApiScope, INSTALLATION_ACCOUNT } from '@signalbox/contracts'
import { AuthError, bearerOf, hashSecret, secretsEqual } from '@signalbox/kit'
import type { ApiKeyStore } from '@signalbox/store'
import type { FastifyRequest } from 'fastify'
import { parseCredential } from './credential.ts'

/** Who may call a route: keys with the scope, or the admin key alone. */
export type Access = ApiScope | 'admin'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Default `admin`. */
    access?: Access
  }
  interface FastifyRequest {
    /** Of the account's key that the request came with; undefined: the admin key. */
    keyId: string | undefined
  }
}

/** Compared with when there is no such key, so that the answer takes the same steps. */
const NO_KEY_HASH = hashSecret('')

/** The hook that lets a request pass or throws `AuthError`; it looks at headers only, before the body is read. */
export function createAuthentication(
  { adminKey }: { adminKey: string },
  { apiKeys }: { apiKeys: Pick<ApiKeyStore, 'find'> },
) {
  return async (request: FastifyRequest): Promise<void> => {
    const credential = bearerOf(request)
    if (credential === undefined) {
      throw new AuthError(
        'SB_UNAUTHENTICATED',
        'a credential is needed, as Authorization: Bearer <key>',
      )
    }
    if (secretsEqual(credential, adminKey)) return

    const { accountKey, key } = await keyOf(credential)
    const { access = 'admin' } = request.routeOptions.config
    if (access === 'admin') throw new AuthError('SB_FORBIDDEN', 'this needs the admin key')
    if (accountKey !== (request.params as { account_key?: string }).account_key) {
      throw new AuthError('SB_FORBIDDEN', 'the key is not one of this account')
    }
    if (accountKey === INSTALLATION_ACCOUNT) {
      throw new AuthError('SB_FORBIDDEN', 'the account of the installation needs the admin key')
    }
    if (!key.scopes.includes(access)) {
      throw new AuthError('SB_FORBIDDEN', `the key does not have the scope "${access}"`)
    }
    request.keyId = key.key_id
  }

  async function keyOf(text: string): Promise<{ accountKey: string; key: ApiKey }> {
    const credential = parseCredential(text)
    const found = credential && (await apiKeys.find(credential.accountKey, credential.keyId))
    const isRight = secretsEqual(
      hashSecret(credential?.secret ?? text),
      found?.secretHash ?? NO_KEY_HASH,
    )
    if (!credential || !found || !isRight) {
      throw new AuthError('SB_UNAUTHENTICATED', 'the credential is not valid')
    }
    return { accountKey: credential.accountKey, key: found.key }
  }
}
