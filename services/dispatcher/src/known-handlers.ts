/**
 * Invocations of handlers that are known reach a queue.
 *
 * That no queue took an invocation means one of two things: nobody has ever offered its handler, or somebody deleted the queue or its
 * binding. The catalog tells them apart, and the broker declares again what was deleted.
 */
import type { Broker, Publisher } from '@signalbox/broker'
import { UnavailableError } from '@signalbox/kit'
import type { HandlerCatalog } from '@signalbox/store'

export interface KnownHandlersDeps {
  publisher: Pick<Publisher, 'invocations'>
  broker: Pick<Broker, 'topology' | 'declare'>
  catalog: Pick<HandlerCatalog, 'get'>
}

/**
 * `invocations` as the publisher's, except that `unroutable` means that the catalog does not know the handler. Rejects with
 * `UnavailableError` when the queue of one that is known is not back yet.
 */
export function reachingKnownHandlers({
  publisher,
  broker,
  catalog,
}: KnownHandlersDeps): Pick<Publisher, 'invocations'> {
  return {
    async invocations(items, options) {
      const outcome = await publisher.invocations(items, options)
      if (outcome === 'routed') return outcome
      const { handler } = items[0]
      if (!(await catalog.get(handler))) return outcome
      await broker.declare(broker.topology.handlerQueue(handler))
      if ((await publisher.invocations(items, options)) === 'routed') return 'routed'
      // n.b. of a queue that this process declared before, the broker's own repair takes some seconds to notice.
      throw new UnavailableError(`the queue of handler "${handler}" is being declared again`, {
        code: 'SB_BROKER_UNAVAILABLE',
      })
    },
  }
}
