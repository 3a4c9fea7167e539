/** What a worker counts. Workers of one process share the instruments of its registry. */
import { counter, durationHistogram, type Metrics } from '@signalbox/kit'

export type WorkerMetrics = ReturnType<typeof create>

const byRegistry = new WeakMap<Metrics, WorkerMetrics>()

export function workerMetricsOf(metrics: Metrics): WorkerMetrics {
  const known = byRegistry.get(metrics) ?? create(metrics)
  byRegistry.set(metrics, known)
  return known
}

function create(metrics: Metrics) {
  return {
    invocations: counter(
      metrics,
      'signalbox_invocations_total',
      'Invocations that handlers have finished.',
      ['handler', 'status'],
    ),
    repeats: counter(
      metrics,
      'signalbox_invocations_repeated_total',
      'Invocations that came again after they were done, and were answered with what is stored.',
      ['handler'],
    ),
    duration: durationHistogram(
      metrics,
      'signalbox_invocation_duration_seconds',
      'How long handlers took for one invocation.',
      ['handler'],
    ),
    deliveries: counter(
      metrics,
      'signalbox_worker_deliveries_total',
      'Deliveries of invocations by how they were settled.',
      ['handler', 'settlement'],
    ),
  }
}
