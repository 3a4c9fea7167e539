import { SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { createTokenVerifier, issueToken } from '../src/index.ts'

const SECRET = 's'.repeat(32)
const verify = createTokenVerifier(SECRET)
const PERSON = { accountKey: 'acme', personKey: 'p1' }

/** A token with claims and a header of its own, signed with the right secret unless told otherwise. */
function sign(claims: object, { secret = SECRET, alg = 'HS256' } = {}): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg })
    .sign(new TextEncoder().encode(secret))
}

const inAnHour = Math.floor(Date.now() / 1_000) + 3_600
const CLAIMS = { account_key: 'acme', sub: 'p1', exp: inAnHour }

describe('a token that was issued', () => {
  test('for a person opens that person, until it expires', async () => {
    const nowMs = Date.now()
    const issued = await issueToken(SECRET, PERSON, 60, nowMs)
    expect(Date.parse(issued.expires_at)).toBe((Math.floor(nowMs / 1_000) + 60) * 1_000)
    const claims = await verify(issued.token)
    expect(claims).toMatchObject({ account_key: 'acme', sub: 'p1' })
    expect(claims).not.toHaveProperty('scope', 'account')
  })

  test('for an account names no person', async () => {
    const { token } = await issueToken(SECRET, { accountKey: 'acme' }, 60)
    const claims = await verify(token)
    expect(claims).toMatchObject({ account_key: 'acme', scope: 'account' })
    expect(claims.sub).toBeUndefined()
  })

  test('long ago has expired', async () => {
    const { token } = await issueToken(SECRET, PERSON, 60, Date.now() - 120_000)
    await expect(verify(token)).rejects.toThrow('the token has expired')
  })
})

describe('a token of another maker', () => {
  test.each([
    ['without an audience', CLAIMS],
    ['with ours among its audiences', { ...CLAIMS, aud: ['other', 'signalbox-edge'] }],
  ])('is accepted %s', async (_what, claims) => {
    expect(await verify(await sign(claims))).toMatchObject({ account_key: 'acme', sub: 'p1' })
  })

  test.each([
    ['for somebody else', { ...CLAIMS, aud: 'other' }, 'meant for somebody else'],
    ['without an end', { ...CLAIMS, exp: undefined }, 'must name account_key, exp'],
    ['without an account', { ...CLAIMS, account_key: undefined }, 'must name account_key, exp'],
    ['with an account that is none', { ...CLAIMS, account_key: 'a b' }, 'must name account_key'],
    ['with neither person nor scope', { ...CLAIMS, sub: undefined }, 'must name account_key'],
    ['with a scope nobody knows', { ...CLAIMS, scope: 'all' }, 'must name account_key'],
    ['that is not valid yet', { ...CLAIMS, nbf: inAnHour }, 'the token is not valid'],
  ])('is refused %s', async (_what, claims, reason) => {
    await expect(verify(await sign(claims))).rejects.toMatchObject({
      code: 'SB_UNAUTHENTICATED',
      message: expect.stringContaining(reason),
    })
  })

  test.each([
    ['signed with another secret', () => sign(CLAIMS, { secret: 'x'.repeat(32) })],
    [
      'signed with another algorithm',
      () => sign(CLAIMS, { alg: 'HS512', secret: SECRET.repeat(2) }),
    ],
    ['that is not signed', async () => new UnsecuredJWT(CLAIMS).encode()],
    ['changed after signing', async () => (await sign(CLAIMS)).replace(/\.[^.]*\./, '.e30.')],
    ['that is no token', async () => 'open-sesame'],
    ['that is nothing', async () => ''],
  ])('is refused when it is one %s, and the error shows nothing of it', async (_what, make) => {
    const token = await make()
    const refusal = await verify(token).then(
      () => undefined,
      (error: Error) => error,
    )
    expect(refusal).toMatchObject({
      code: 'SB_UNAUTHENTICATED',
      message: 'the token is not valid',
    })
  })
})
