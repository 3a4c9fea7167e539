/**
 * How identities are made: random and time-ordered where a thing is new, derived where the same thing must get the same
 * identity again (a run of one chain for one event, however often the event is delivered).
 */
import { hash, randomFillSync } from 'node:crypto'

/**
 * A UUID v7: 48 bits of Unix time in milliseconds, then 74 random bits.
 * Source: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7
 */
export function uuidv7(nowMs: number = Date.now()): string {
  const bytes = randomFillSync(Buffer.allocUnsafe(16))
  bytes.writeUIntBE(nowMs, 0, 6)
  return formatUuid(bytes.toString('hex'), '7')
}

/**
 * A UUID v8 derived from its parts: the same parts give the same identity on every machine.
 * Source: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8
 */
export function derivedUuid(...parts: readonly string[]): string {
  return formatUuid(hash('sha256', JSON.stringify(parts), 'hex'), '8')
}

/** The variant is 10 in binary, followed by the two lower bits of its digit. */
const VARIANT_DIGITS = '89ab'

/** The first 16 bytes of `hex`, with the version and the variant put in. */
function formatUuid(hex: string, version: string): string {
  const variant = VARIANT_DIGITS[Number.parseInt(hex[16]!, 16) & 3]
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${version}${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** One run of one chain for one event. The account is part of it: two accounts may use the same `event_id`. */
export function runIdOf(accountKey: string, eventId: string, chainId: string): string {
  return derivedUuid('run', accountKey, eventId, chainId)
}

/** One step of one run; every attempt and redelivery of it shares this identity. */
export function invocationIdOf(runId: string, stepId: string): string {
  return derivedUuid('invocation', runId, stepId)
}

/** The `index`th event or command that a step fired, so that a redelivered result fires nothing twice. */
export function firedIdOf(invocationId: string, kind: 'event' | 'command', index: number): string {
  return derivedUuid(kind, invocationId, String(index))
}
