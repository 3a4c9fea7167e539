import { generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  createJwksResolver,
  createTokenVerifier,
  issueToken,
  jwksFromUrl,
  silentLog,
} from '../src/index.ts'

const SECRET = 's'.repeat(32)
const CLAIMS = { account_key: 'acme', sub: 'p1', exp: 4_000_000_000 }
const ISSUER = 'https://issuer.example'
const AUDIENCE = 'our-edges'

interface Signer {
  alg: string
  kid: string
  privateKey: KeyObject
  jwk: JsonWebKey
}

function signer(alg: 'RS256' | 'ES256' | 'EdDSA', kid: string): Signer {
  const { privateKey, publicKey } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2_048 })
      : alg === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519')
  return { alg, kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid } }
}

const SIGNERS = [signer('RS256', 'r'), signer('ES256', 'e'), signer('EdDSA', 'd')]
const NEW_KEY = signer('ES256', 'new')

function sign({ alg, kid, privateKey }: Signer, claims: object = {}): Promise<string> {
  return new SignJWT({ ...CLAIMS, iss: ISSUER, aud: AUDIENCE, ...claims })
    .setProtectedHeader({ alg, kid })
    .sign(privateKey)
}

/** An issuer whose set of keys a test has in its hand. */
function openIssuer(...signers: Signer[]) {
  const issuer = { signers, isAway: false, loads: 0 }
  const keys = createJwksResolver(
    async () => {
      issuer.loads++
      if (issuer.isAway) throw new Error('away')
      return JSON.stringify({ keys: issuer.signers.map(({ jwk }) => jwk) })
    },
    { maxAgeMs: 600_000, cooldownMs: 30_000, retryMs: 5_000 },
    { log: silentLog },
  )
  const verify = createTokenVerifier(SECRET, { keys, issuer: ISSUER, audience: AUDIENCE })
  return { issuer, verify }
}

const refused = (message: string) =>
  expect.objectContaining({ code: 'SB_UNAUTHENTICATED', message })
const unavailable = expect.objectContaining({ code: 'SB_UNAVAILABLE', retryable: true })

describe('a token of another issuer', () => {
  test.each(SIGNERS)('signed with $alg is accepted, beside our own', async (each) => {
    const { verify } = openIssuer(...SIGNERS)
    expect(await verify(await sign(each))).toMatchObject({ account_key: 'acme', sub: 'p1' })
    const ours = await issueToken(SECRET, { accountKey: 'acme' }, 60)
    expect(await verify(ours.token)).toMatchObject({ scope: 'account', jti: ours.jti })
  })

  test.each([
    ['another audience', { aud: 'others' }, 'the token is meant for somebody else'],
    ['no audience', { aud: undefined }, 'the token is meant for somebody else'],
    ['another issuer', { iss: 'https://other.example' }, 'the token is not valid'],
    ['no issuer', { iss: undefined }, 'the token is not valid'],
    ['an end in the past', { exp: 1_000_000_000 }, 'the token has expired'],
  ])('with %s is refused', async (_what, claims, message) => {
    const { verify } = openIssuer(...SIGNERS)
    await expect(verify(await sign(SIGNERS[1]!, claims))).rejects.toEqual(refused(message))
  })

  test('is refused when nobody configured one', async () => {
    const token = await sign(SIGNERS[1]!)
    await expect(createTokenVerifier(SECRET)(token)).rejects.toEqual(
      refused('the token is not valid'),
    )
  })
})

describe('no algorithm stands in for another', () => {
  const hmac = (secret: string | Uint8Array, header: object = {}) =>
    new SignJWT({ ...CLAIMS, iss: ISSUER, aud: AUDIENCE })
      .setProtectedHeader({ alg: 'HS256', ...header })
      .sign(typeof secret === 'string' ? new TextEncoder().encode(secret) : secret)

  test.each(SIGNERS)('a public key ($alg) taken as a secret signs nothing', async (each) => {
    const { verify } = openIssuer(...SIGNERS)
    const { kid, jwk } = each
    const forms = [JSON.stringify(jwk), String(jwk.n ?? jwk.x)]
    for (const form of forms) {
      await expect(verify(await hmac(form, { kid }))).rejects.toEqual(
        refused('the token is not valid'),
      )
    }
  })

  test('a secret among the public keys is not one of ours', async () => {
    const secret = 'a symmetric key in a set of public ones'
    const oct = { kty: 'oct', kid: 'o', k: Buffer.from(secret).toString('base64url') }
    const { issuer, verify } = openIssuer(...SIGNERS)
    issuer.signers.push({ ...SIGNERS[0]!, jwk: oct })
    await expect(verify(await hmac(secret, { kid: 'o' }))).rejects.toEqual(
      refused('the token is not valid'),
    )
  })

  test('a key of one type under the name of another verifies nothing', async () => {
    const { verify } = openIssuer(...SIGNERS)
    const token = await sign({ ...SIGNERS[1]!, kid: 'r' })
    await expect(verify(token)).rejects.toEqual(refused('the token is not valid'))
  })

  test('other algorithms of the same keys are refused', async () => {
    const { verify } = openIssuer(...SIGNERS)
    const token = await sign({ ...SIGNERS[0]!, alg: 'PS256' })
    await expect(verify(token)).rejects.toEqual(refused('the token is not valid'))
  })
})

describe('the keys of an issuer', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('are loaded once for many tokens', async () => {
    const { issuer, verify } = openIssuer(...SIGNERS)
    const tokens = await Promise.all(SIGNERS.map((each) => sign(each)))
    await Promise.all([...tokens, ...tokens].map((token) => verify(token)))
    expect(issuer.loads).toBe(1)
  })

  test('may change: a new one is found at once, but not sought at every try', async () => {
    const { issuer, verify } = openIssuer(...SIGNERS)
    await verify(await sign(SIGNERS[0]!))
    vi.advanceTimersByTime(30_000)
    issuer.signers = [NEW_KEY]
    await verify(await sign(NEW_KEY))
    expect(issuer.loads).toBe(2)

    const stranger = await sign({ ...NEW_KEY, kid: 'unheard of' })
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(verify(stranger)).rejects.toEqual(refused('the token is not valid'))
    }
    expect(issuer.loads).toBe(2)
    await expect(verify(await sign(SIGNERS[0]!))).rejects.toEqual(refused('the token is not valid'))
  })

  test('that were taken out of the set end when it is loaded anew, which nobody waits for', async () => {
    const { issuer, verify } = openIssuer(...SIGNERS)
    const old = await sign(SIGNERS[0]!)
    await verify(old)
    issuer.signers = [NEW_KEY]
    vi.advanceTimersByTime(600_000)
    await verify(old)
    await vi.waitFor(async () => {
      await expect(verify(old)).rejects.toEqual(refused('the token is not valid'))
    })
    expect(issuer.loads).toBe(2)
  })

  test('that cannot be had are a reason to come back, not a no; and ours are not touched by it', async () => {
    const { issuer, verify } = openIssuer(...SIGNERS)
    issuer.isAway = true
    const token = await sign(SIGNERS[0]!)
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(verify(token)).rejects.toEqual(unavailable)
    }
    expect(issuer.loads).toBe(1)
    await verify((await issueToken(SECRET, { accountKey: 'acme' }, 60)).token)

    issuer.isAway = false
    vi.advanceTimersByTime(5_000)
    await verify(token)
    expect(issuer.loads).toBe(2)
  })

  test('stay in use while they cannot be loaded anew', async () => {
    const { issuer, verify } = openIssuer(...SIGNERS)
    const token = await sign(SIGNERS[0]!)
    await verify(token)
    issuer.isAway = true
    for (let age = 0; age < 3; age++) {
      vi.advanceTimersByTime(600_000)
      await verify(token)
    }
  })
})

describe('keys at an address', () => {
  async function serving(listener: RequestListener) {
    const server = createServer(listener)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    return {
      load: jwksFromUrl(`http://127.0.0.1:${port}/keys`),
      [Symbol.asyncDispose]: async () => {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  }

  test('are read as they are', async () => {
    await using at = await serving((_request, response) => response.end('{"keys":[]}'))
    expect(await at.load()).toBe('{"keys":[]}')
  })

  test.each<[string, RequestListener]>([
    ['an error', (_request, response) => response.writeHead(500).end()],
    ['a redirect', (_request, response) => response.writeHead(302, { location: '/' }).end()],
    ['more than anybody needs', (_request, response) => response.end('x'.repeat(300 * 1024))],
    ['a cut connection', (request) => request.socket.destroy()],
  ])('are not had from %s', async (_what, listener) => {
    await using at = await serving(listener)
    await expect(at.load()).rejects.toThrow()
  })

  test('are given up when they do not come', async () => {
    await using at = await serving(() => undefined)
    await expect(at.load()).rejects.toThrow(/timeout/i)
  }, 10_000)
})
