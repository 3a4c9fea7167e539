/**
 * Sealing: how secrets are stored, so that who reads the store (a dump of Redis) does not read them.
 *
 * A sealed text is `sealed.1.<key id>.<base64url of nonce, ciphertext and tag>`: AES-256-GCM with a random nonce of 96 bits. Where it belongs
 * (account, listener) is authenticated with it, so that a sealed secret that is moved elsewhere in the store does not open there.
 *
 * Several keys make a rotation: the first seals, all open. A key is named by the start of a digest of it.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { AppError, ConfigError } from '@signalbox/kit'

const VERSION = '1'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_ID_CHARS = 8

/** What a sealed text belongs to: `[account_key, listener_id]`. */
export type SealingContext = readonly string[]

export interface Sealer {
  /** Different every time, for the same text too. */
  seal(text: string, context: SealingContext): string
  /** Throws `AppError` (`SB_SEALED`) when the key is not configured, or the text was altered or belongs elsewhere. */
  open(sealed: string, context: SealingContext): string
  /** Sealed with the newest key; what is not should be opened and sealed again. False for what is not sealed at all. */
  isCurrent(sealed: string): boolean
}

interface SealingKey {
  readonly id: string
  readonly bytes: Buffer
}

export interface SealerOptions {
  /** The value of `SIGNALBOX_SEALING_KEY`: 32 bytes as 64 hex digits or in base64; several with commas between, the newest first. */
  keys: string
}

/** Throws `ConfigError` when `keys` holds none, or one that is no key; the error does not repeat it. */
export function createSealer({ keys: text }: SealerOptions): Sealer {
  const keys = sealingKeysOf(text)
  const [newest] = keys
  if (!newest) throw new ConfigError('SIGNALBOX_SEALING_KEY holds no key')

  return {
    seal(plain, context) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', newest.bytes, nonce)
      cipher.setAAD(associatedData(newest.id, context))
      const sealed = [nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]
      return `sealed.${VERSION}.${newest.id}.${Buffer.concat(sealed).toString('base64url')}`
    },
    open(sealed, context) {
      const { keyId, bytes } = partsOf(sealed)
      const key = keys.find(({ id }) => id === keyId)
      if (!key) {
        throw sealedError(
          `it was sealed with the key ${keyId}, which is not in SIGNALBOX_SEALING_KEY`,
        )
      }
      const nonce = bytes.subarray(0, NONCE_BYTES)
      const decipher = createDecipheriv('aes-256-gcm', key.bytes, nonce, {
        authTagLength: TAG_BYTES,
      })
      decipher.setAAD(associatedData(key.id, context))
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
      try {
        const plain = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
        return Buffer.concat([plain, decipher.final()]).toString('utf8')
      } catch {
        throw sealedError('it was altered, or belongs to another account or listener')
      }
    },
    isCurrent: (sealed) => sealed.startsWith(`sealed.${VERSION}.${newest.id}.`),
  }
}

/** The keys in a configured text, in its order. Throws `ConfigError`. */
export function sealingKeysOf(text: string): readonly SealingKey[] {
  return text.split(',').map((part, index) => {
    const trimmed = part.trim()
    const isHex = /^[0-9a-f]{64}$/i.test(trimmed)
    const bytes = Buffer.from(trimmed, isHex ? 'hex' : 'base64')
    if (bytes.length !== KEY_BYTES || (!isHex && !/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed))) {
      throw new ConfigError(
        `key ${index + 1} of SIGNALBOX_SEALING_KEY is not 32 bytes in hex or base64: make one with \`openssl rand -hex 32\``,
      )
    }
    const id = createHash('sha256').update('signalbox sealing key').update(bytes).digest('hex')
    return { id: id.slice(0, KEY_ID_CHARS), bytes }
  })
}

/** n.b. as JSON, so that `['a', 'bc']` and `['ab', 'c']` differ. */
function associatedData(keyId: string, context: SealingContext): Buffer {
  return Buffer.from(JSON.stringify([VERSION, keyId, ...context]))
}

function partsOf(sealed: string): { keyId: string; bytes: Buffer } {
  const match = /^sealed\.(\d+)\.([0-9a-f]{8})\.([A-Za-z0-9_-]+)$/.exec(sealed)
  if (!match) throw sealedError('it is not a sealed text')
  const [, version = '', keyId = '', encoded = ''] = match
  if (version !== VERSION)
    throw sealedError(`it was sealed in version ${version}, which is unknown`)
  const bytes = Buffer.from(encoded, 'base64url')
  if (bytes.length < NONCE_BYTES + TAG_BYTES) throw sealedError('it is cut off')
  return { keyId, bytes }
}

function sealedError(why: string): AppError {
  return new AppError('SB_SEALED', `a stored secret cannot be opened: ${why}`, { retryable: false })
}
