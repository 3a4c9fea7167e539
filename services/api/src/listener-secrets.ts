/**
 * The secrets of listeners: made or taken from what was sent, sealed, and shown once.
 *
 * `***` in what is sent stands for the secret that is kept. It is refused where there is none, and where the callback would go elsewhere with
 * it: else whoever may change a listener could have its secrets sent to himself.
 */
import {
  type Callback,
  type CallbackSecrets,
  type FieldError,
  REDACTED,
  type SIGNATURE_SCHEMES,
} from '@signalbox/contracts'
import { InvalidInputError, summarise } from '@signalbox/kit'
import {
  newSigningSecret,
  publicKeyOf,
  type Sealer,
  type SealingContext,
} from '@signalbox/outbound'
import type { ListenerSecrets } from '@signalbox/store'

type SignatureScheme = (typeof SIGNATURE_SCHEMES)[number]
type SigningSecret = ListenerSecrets['signing'][number]

/** Secrets that sign at once: the newest, and those before it whose time is not over. */
const MAX_SIGNING_SECRETS = 5

/** What is answered once: the secret to verify with, or the public key where there is one. */
export type ShownSecret = { secret: string } | { public_key: string }

export function newSigning(
  scheme: SignatureScheme,
  sealer: Sealer,
  context: SealingContext,
): { kept: SigningSecret; shown: ShownSecret } {
  const secret = newSigningSecret(scheme)
  const sealed = sealer.seal(secret, context)
  if (scheme === 'hmac-sha256') return { kept: { sealed, scheme }, shown: { secret } }
  const public_key = publicKeyOf(secret)
  return { kept: { sealed, scheme, public_key }, shown: { public_key } }
}

/** The signing secrets after a rotation: those before sign until `untilMs`, or their own earlier time. */
export function rotated(
  signing: ListenerSecrets['signing'],
  newest: SigningSecret,
  untilMs: number,
  nowMs: number = Date.now(),
): ListenerSecrets['signing'] {
  const older = signing
    .map((secret) => ({ ...secret, until: new Date(endOf(secret, untilMs)).toISOString() }))
    .filter(({ until }) => Date.parse(until) > nowMs)
  return [newest, ...older].slice(0, MAX_SIGNING_SECRETS)
}

function endOf({ until }: SigningSecret, untilMs: number): number {
  return until === undefined ? untilMs : Math.min(Date.parse(until), untilMs)
}

/** Seals what was taken out of a callback. `kept`: of the listener that is changed. Throws `InvalidInputError`. */
export function sealedSecrets(
  { callback, secrets }: { callback: Callback; secrets: CallbackSecrets },
  kept: { callback: Callback; secrets: ListenerSecrets } | undefined,
  sealer: Sealer,
  context: SealingContext,
): ListenerSecrets['callback'] {
  const staysThere = kept !== undefined && destinationOf(kept.callback) === destinationOf(callback)
  const faults: FieldError[] = []
  const sealed = Object.entries(secrets).map(([place, value]): [string, string] => {
    if (value !== REDACTED) return [place, sealer.seal(value, context)]
    const found = kept?.secrets.callback[place]
    if (found === undefined) {
      faults.push({
        path: `callback.${place}`,
        message: `${REDACTED} stands for a value that is kept, and there is none`,
      })
    } else if (!staysThere) {
      faults.push({
        path: `callback.${place}`,
        message: 'has to be sent again, because the callback goes elsewhere now',
      })
    }
    return [place, found ?? '']
  })
  if (faults.length > 0) throw new InvalidInputError(summarise(faults), { details: faults })
  return Object.fromEntries(sealed)
}

/** Who receives what is sent: the origin of a URL. */
function destinationOf(callback: Callback): string {
  const { url } = callback
  if (url === undefined) return 'amqp, our own broker'
  const { protocol, host } = new URL(url)
  return `${callback.type} ${protocol}//${host}`
}
