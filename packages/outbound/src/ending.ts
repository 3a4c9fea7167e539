/** Outcomes that HTTP and AMQP have in common, without their timing. */
import { AppError } from '@signalbox/kit'
import type { Lease } from './lease-pool.ts'
import type { DeliveryOutcome } from './outcome.ts'

export type Bare<Outcome> = Outcome extends DeliveryOutcome
  ? Omit<Outcome, 'durationMs' | 'address'>
  : never

/** What one attempt came to, and where. */
export type Ending = Bare<DeliveryOutcome> & { readonly address?: string }

/** Runs an attempt and times it. What it throws is an outcome too: `forbidden`. */
export async function measured(
  attempt: (elapsedMs: () => number) => Promise<Ending>,
): Promise<DeliveryOutcome> {
  const startedAtMs = performance.now()
  const elapsedMs = () => performance.now() - startedAtMs
  const ending = await attempt(elapsedMs).catch(forbidden)
  return { ...ending, durationMs: Math.round(elapsedMs()) }
}

/** What is done with an item of a pool, leased meanwhile. */
export async function leased<Item>(
  lease: Lease<Item> | undefined,
  where: string,
  work: (item: Item) => Promise<Ending>,
): Promise<Ending> {
  if (!lease) return tooMany(where)
  try {
    return await work(lease.item)
  } finally {
    lease.release()
  }
}

/** n.b. the messages of the system are not used: they name addresses, and would be shown to whoever registered the URL. */
export function failed(error: Error, where: string): Bare<DeliveryOutcome> {
  if (error instanceof AppError) return forbidden(error)
  const { code: given } = error as { code?: unknown }
  const code = typeof given === 'string' ? given : 'CONNECTION_FAILED'
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return timedOut('connect', where)
  if (code === 'UND_ERR_INVALID_ARG') return forbidden(error)
  return { outcome: 'unreachable', code, message: `${where}: ${code}`, retryable: true }
}

export function timedOut(phase: 'connect' | 'response', where: string): Bare<DeliveryOutcome> {
  const what = phase === 'connect' ? 'no connection' : 'no answer'
  return { outcome: 'timed_out', phase, message: `${where}: ${what} in time`, retryable: true }
}

function forbidden(error: unknown): Bare<DeliveryOutcome> {
  const isAddress = error instanceof AppError && error.code === 'SB_ADDRESS_REFUSED'
  return {
    outcome: 'forbidden',
    code: isAddress ? 'SB_ADDRESS_REFUSED' : 'SB_INVALID_INPUT',
    message: error instanceof Error ? error.message : 'it cannot be sent',
    retryable: isAddress && error.retryable,
  }
}

function tooMany(where: string): Bare<DeliveryOutcome> {
  const message = `${where}: as many endpoints as may be have deliveries under way`
  return { outcome: 'unreachable', code: 'TOO_MANY_ENDPOINTS', message, retryable: true }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

export function withoutUndefined<T extends object>(options: T): Defined<T> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as Defined<T>
}
