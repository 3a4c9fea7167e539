/**
 * Creating, changing and deleting listeners: each is checked as its chain will be, kept with its secrets sealed, and then its chain is made
 * what it says.
 *
 * The listener is written before its chain. What is cut short in between is mended by the next who reads or writes the listener.
 */
import { checkChain } from '@signalbox/chains'
import {
  CALLBACK_TYPES,
  type CatalogEntry,
  chainOfListener,
  chainSchema,
  type FieldError,
  type Listener,
  type ListenerInput,
  listenerChainIdOf,
  type SIGNATURE_SCHEMES,
  splitCallback,
  uuidv7,
} from '@signalbox/contracts'
import {
  ConflictError,
  InvalidInputError,
  NotFoundError,
  parseInput,
  summarise,
} from '@signalbox/kit'
import type { Sealer } from '@signalbox/outbound'
import {
  type ChainStore,
  type DeliveryStore,
  type KeptListener,
  type ListenerStore,
  mendListenerChain,
  type Page,
  type PageOptions,
} from '@signalbox/store'
import { type CallbackCheckDeps, checkCallback } from './callback-checks.ts'
import { requireChainSize } from './chains.ts'
import { within } from './fault-paths.ts'
import { newSigning, rotated, type ShownSecret, sealedSecrets } from './listener-secrets.ts'

const HOUR_MS = 3_600_000

export interface ListenerKeepingDeps extends CallbackCheckDeps {
  listeners: ListenerStore
  chains: Pick<ChainStore, 'get' | 'put' | 'delete'>
  deliveries: Pick<DeliveryStore, 'clearFailing' | 'forget'>
  sealer: Sealer
}

export type ListenerKeeping = ReturnType<typeof createListenerKeeping>

export function createListenerKeeping(deps: ListenerKeepingDeps) {
  const { listeners, chains, deliveries, sealer } = deps

  const mend = (accountKey: string, listenerId: string) =>
    mendListenerChain({ listeners, chains }, accountKey, listenerId)

  async function find(accountKey: string, listenerId: string): Promise<KeptListener> {
    const kept = await mend(accountKey, listenerId)
    if (kept) return kept
    throw noSuchListener(listenerId)
  }

  /** What is sent, as it would be kept. */
  async function checked(
    accountKey: string,
    { signature: _signature, callback: written, ...rest }: ListenerInput,
    kept: KeptListener | undefined,
    head: Pick<Listener, 'listener_id' | 'state' | 'created_at'> &
      Partial<Pick<Listener, 'disabled_reason'>>,
  ): Promise<KeptListener> {
    await checkCallback(written, deps).catch((error: unknown) => {
      throw within('callback', error)
    })
    const split = splitCallback(written)
    const sealed = sealedSecrets(
      split,
      kept && { callback: kept.listener.callback, secrets: kept.secrets },
      sealer,
      [accountKey, head.listener_id],
    )
    const listener: Listener = {
      ...rest,
      ...head,
      callback: split.callback,
      updated_at: new Date().toISOString(),
      version: 1,
    }
    checkAsChain(listener)
    return { listener, secrets: { signing: kept?.secrets.signing ?? [], callback: sealed } }
  }

  async function change(
    accountKey: string,
    listenerId: string,
    make: (kept: KeptListener) => KeptListener,
  ): Promise<KeptListener> {
    const changed = await listeners.update(accountKey, listenerId, (kept) => {
      const made = make(kept)
      if (made === kept) return kept
      return { ...made, listener: { ...made.listener, updated_at: new Date().toISOString() } }
    })
    if (!changed) throw noSuchListener(listenerId)
    await mend(accountKey, listenerId)
    return changed
  }

  return {
    find,

    async list(accountKey: string, options: PageOptions): Promise<Page<KeptListener>> {
      const page = await listeners.list(accountKey, options)
      await Promise.all(page.items.map(({ listener }) => mend(accountKey, listener.listener_id)))
      return page
    },

    /** Throws `ConflictError` when there is one of that identity, `TooManyError` when there are too many of them, or of chains. */
    async create(
      accountKey: string,
      input: ListenerInput,
    ): Promise<KeptListener & { shown: ShownSecret }> {
      const listener_id = input.listener_id ?? uuidv7()
      const created_at = new Date().toISOString()
      const head = { listener_id, state: 'active', created_at } as const
      const { listener, secrets } = await checked(accountKey, input, undefined, head)
      const signing = newSigning(input.signature ?? 'hmac-sha256', sealer, [
        accountKey,
        listener_id,
      ])
      if (await chains.get(accountKey, listenerChainIdOf(listener_id))) {
        throw new ConflictError(`there is a chain "${listenerChainIdOf(listener_id)}" already`)
      }
      const kept = await listeners.create(accountKey, listener, {
        ...secrets,
        signing: [signing.kept],
      })
      try {
        await mend(accountKey, listener_id)
      } catch (error) {
        // n.b. its secret is not shown again, so what is not answered must not stay.
        await listeners.delete(accountKey, listener_id).catch(() => false)
        throw error
      }
      return { ...kept, shown: signing.shown }
    },

    async replace(
      accountKey: string,
      listenerId: string,
      input: ListenerInput,
    ): Promise<KeptListener> {
      requireSameId(listenerId, input)
      const kept = await find(accountKey, listenerId)
      const { created_at, state, disabled_reason } = kept.listener
      const head = {
        listener_id: listenerId,
        state,
        created_at,
        ...(disabled_reason === undefined ? {} : { disabled_reason }),
      }
      const next = await checked(accountKey, input, kept, head)
      return change(accountKey, listenerId, (current) => {
        requireUnchanged(kept, current)
        return next
      })
    },

    /** Back to `active` it begins anew: what failed before does not count any more. */
    async setState(
      accountKey: string,
      listenerId: string,
      state: 'active' | 'paused',
    ): Promise<KeptListener> {
      if (state === 'active') await deliveries.clearFailing(accountKey, listenerId)
      return change(accountKey, listenerId, (kept) => {
        if (kept.listener.state === state) return kept
        const { disabled_reason: _reason, ...listener } = kept.listener
        return { ...kept, listener: { ...listener, state } }
      })
    },

    async rotateSecret(
      accountKey: string,
      listenerId: string,
      {
        oldSecretHours,
        scheme,
      }: { oldSecretHours: number; scheme?: (typeof SIGNATURE_SCHEMES)[number] | undefined },
    ): Promise<KeptListener & { shown: ShownSecret; oldSecretUntil: string }> {
      const { secrets } = await find(accountKey, listenerId)
      const newest = newSigning(scheme ?? secrets.signing[0]?.scheme ?? 'hmac-sha256', sealer, [
        accountKey,
        listenerId,
      ])
      const untilMs = Date.now() + oldSecretHours * HOUR_MS
      const kept = await change(accountKey, listenerId, (current) => ({
        listener: current.listener,
        secrets: {
          ...current.secrets,
          signing: rotated(current.secrets.signing, newest.kept, untilMs),
        },
      }))
      return { ...kept, shown: newest.shown, oldSecretUntil: new Date(untilMs).toISOString() }
    },

    /** False: there was none. What a deletion that was cut short left is deleted all the same. */
    async delete(accountKey: string, listenerId: string): Promise<boolean> {
      const chainId = listenerChainIdOf(listenerId)
      const kept = await mend(accountKey, listenerId)
      if (kept) {
        await chains.delete(accountKey, chainId)
        await listeners.delete(accountKey, listenerId)
        // n.b. a reader may have mended the chain in between.
        await mend(accountKey, listenerId)
      }
      await deliveries.forget(accountKey, listenerId)
      return kept !== undefined
    },
  }
}

/** As when a chain with this trigger and this step is saved; handlers of callbacks are ours, whether or not one runs now. */
function checkAsChain(listener: Listener): void {
  const chain = parseInput(chainSchema, chainOfListener(listener), 'the listener')
  requireChainSize(chain)
  const details = checkChain(chain, CALLBACK_HANDLERS).map(asWritten)
  if (details.length === 0) return
  throw new InvalidInputError(`the listener is not valid: ${summarise(details)}`, { details })
}

const CALLBACK_HANDLERS = Object.values(CALLBACK_TYPES).map(
  ({ handler }): CatalogEntry => ({
    name: handler,
    description: '',
    config_schema: {},
    fires: [],
    workers: [],
    registered_at: '1970-01-01T00:00:00.000Z',
  }),
)

function asWritten({ path, message }: FieldError): FieldError {
  return {
    path: path.replace(/^trigger\./, '').replace(/^steps\[0\]\.config\b/, 'callback'),
    message,
  }
}

function requireSameId(listenerId: string, { listener_id }: ListenerInput): void {
  if (listener_id === undefined || listener_id === listenerId) return
  const message = `is "${listener_id}", and the path says "${listenerId}"`
  throw new InvalidInputError(`listener_id ${message}`, {
    details: [{ path: 'listener_id', message }],
  })
}

/** What was checked, `***` too, was checked against this version. */
function requireUnchanged({ listener }: KeptListener, current: KeptListener): void {
  if (listener.version === current.listener.version) return
  throw new ConflictError(
    `the listener "${listener.listener_id}" was changed by somebody else meanwhile: read it and send it again`,
  )
}

function noSuchListener(listenerId: string): NotFoundError {
  return new NotFoundError(`there is no listener "${listenerId}"`)
}
