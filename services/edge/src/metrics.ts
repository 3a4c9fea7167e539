/** What the edge counts. */
import { counter, durationHistogram, gauge, type Metrics } from '@signalbox/kit'

export type EdgeMetrics = ReturnType<typeof createEdgeMetrics>

/** The sockets that are open when the metrics are read. */
export interface Population {
  readonly size: number
  values(): Iterable<{ readonly subscriptionCount: number }>
}

export function createEdgeMetrics(registry: Metrics, connections: Population) {
  gauge(registry, 'signalbox_edge_connections', 'Open WebSockets.', () => connections.size)
  gauge(registry, 'signalbox_edge_subscriptions', 'Subscriptions of all WebSockets.', () => {
    let sum = 0
    for (const { subscriptionCount } of connections.values()) sum += subscriptionCount
    return sum
  })
  return {
    relayed: counter(
      registry,
      'signalbox_edge_relayed_total',
      'Events that the relay took, by what became of them.',
      ['outcome'],
    ),
    frames: counter(registry, 'signalbox_edge_frames_sent_total', 'Frames sent, by kind.', [
      'kind',
    ]),
    closes: counter(registry, 'signalbox_edge_closes_total', 'WebSockets that the edge closed.', [
      'reason',
    ]),
    missed: counter(
      registry,
      'signalbox_edge_missed_total',
      'Messages that had left a channel log before a gap could be filled.',
    ),
    latency: durationHistogram(
      registry,
      'signalbox_edge_delivery_seconds',
      "From an event's timestamp to its frame's way out.",
    ),
  }
}
