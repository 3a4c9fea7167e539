/** What people change before a dead letter is replayed: checked as if it were new, with the path to each fault. */
import { checkChain } from '@signalbox/chains'
import {
  type CatalogEntry,
  INSTALLATION_ACCOUNT,
  type JsonObject,
  type KeptDeadLetter,
  nameSchema,
  type VumiApiEvent,
} from '@signalbox/contracts'
import { InvalidInputError, summarise } from '@signalbox/kit'
import { readEvents } from './event-body.ts'
import { within } from './fault-paths.ts'
import { requireRun, runOf, withConfig } from './replay-plan.ts'

/** Complete; what Signalbox set on the one that failed may be sent back, and is set anew. */
export function editedEvent(body: JsonObject, accountKey: string): VumiApiEvent {
  const { event_id: _id, caused_by: _cause, replay_of: _replay, ...event } = body
  const isNobodys = accountKey === INSTALLATION_ACCOUNT
  const account = isNobodys ? nameSchema.safeParse(event.account_key).data : accountKey
  try {
    if (account === undefined) {
      const message = 'must name the account that the event is published for'
      throw new InvalidInputError(message, { details: [{ path: 'account_key', message }] })
    }
    const [edited] = readEvents({
      body: event,
      mediaType: 'application/json',
      accountKey: account,
    })
    return edited!
  } catch (error) {
    throw within('event', error)
  }
}

/** As when a chain with this step is saved: the handler's schema, the templates, and what they refer to. */
export function checkConfig(
  letter: KeptDeadLetter,
  config: JsonObject,
  catalog: readonly CatalogEntry[],
): void {
  const run = requireRun(runOf(letter))
  const { name, steps } = withConfig(run, config).chain
  const place = `steps[${run.step_index}].`
  const details = checkChain(
    { name, enabled: true, trigger: { default: true }, steps },
    catalog,
  ).flatMap(({ path, message }) =>
    path.startsWith(`${place}config`) ? [{ path: path.slice(place.length), message }] : [],
  )
  if (details.length === 0) return
  throw new InvalidInputError(`the config is not valid: ${summarise(details)}`, { details })
}
