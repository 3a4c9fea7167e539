/** What the edge counts. */
import { counter, durationHistogram, gauge, type Metrics } from '@signalbox/kit'

export type EdgeMetrics = ReturnType<typeof createEdgeMetrics>

/** The sockets that are open when the metrics are read. */
export interface Population {
  readonly size: number
  values(): Iterable<{ readonly connection: { readonly subscriptionCount: number } }>
}

export function createEdgeMetrics(registry: Metrics, sockets: Population) {
  gauge(registry, 'signalbox_edge_connections', 'Open WebSockets.', () => sockets.size)
  gauge(registry, 'signalbox_edge_subscriptions', 'Subscriptions of all WebSockets.', () => {
    let sum = 0
    for (const { connection } of sockets.values()) sum += connection.subscriptionCount
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
    writes: counter(
      registry,
      'signalbox_edge_writes_total',
      'Writes to WebSockets, by whether several frames were joined into one.',
      ['joined'],
    ),
    sentBytes: counter(registry, 'signalbox_edge_sent_bytes_total', 'Bytes of the frames sent.'),
    closes: counter(registry, 'signalbox_edge_closes_total', 'WebSockets that the edge closed.', [
      'reason',
    ]),
    dropped: counter(
      registry,
      'signalbox_edge_frames_dropped_total',
      'Frames that were not sent, because too much waited for the client; it is closed then.',
    ),
    received: counter(
      registry,
      'signalbox_edge_frames_received_total',
      'Messages that clients sent.',
    ),
    receivedBytes: counter(
      registry,
      'signalbox_edge_received_bytes_total',
      'Bytes of the messages that clients sent.',
    ),
    refusals: counter(
      registry,
      'signalbox_edge_refusals_total',
      'Upgrades that were refused, by the code of the answer.',
      ['code'],
    ),
    unrecorded: counter(
      registry,
      'signalbox_edge_showings_unrecorded_total',
      'Showings of events that their biographies were not told of, because the store was away for too long.',
    ),
    missed: counter(
      registry,
      'signalbox_edge_missed_total',
      'Messages that had left a channel log before a gap could be filled.',
    ),
    resumes: counter(
      registry,
      'signalbox_edge_resumes_total',
      'Subscribes with a cursor, by whether everything after it comes.',
      ['outcome'],
    ),
    gaps: counter(
      registry,
      'signalbox_edge_gaps_total',
      'Gaps that resuming subscriptions were told of.',
    ),
    filterFaults: counter(
      registry,
      'signalbox_edge_filter_faults_total',
      'Conditions of subscriptions that could not be answered for an event, and so did not match.',
    ),
    latency: durationHistogram(
      registry,
      'signalbox_edge_delivery_seconds',
      "From an event's timestamp to the first time that its frame is written.",
    ),
  }
}
