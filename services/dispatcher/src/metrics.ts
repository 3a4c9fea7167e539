/** What a dispatcher counts. */
import { counter, durationHistogram, type Metrics } from '@signalbox/kit'

export type DispatcherMetrics = ReturnType<typeof createDispatcherMetrics>

export function createDispatcherMetrics(registry: Metrics) {
  return {
    events: counter(
      registry,
      'signalbox_dispatcher_events_total',
      'Events by what became of them at their arrival.',
      ['outcome'],
    ),
    runs: counter(registry, 'signalbox_dispatcher_runs_total', 'Runs that ended, by outcome.', [
      'outcome',
    ]),
    steps: counter(registry, 'signalbox_dispatcher_steps_total', 'Step results by status.', [
      'status',
    ]),
    fired: counter(
      registry,
      'signalbox_dispatcher_fired_total',
      'Events and commands that steps fired.',
      ['kind'],
    ),
    settleSeconds: durationHistogram(
      registry,
      'signalbox_dispatcher_settle_seconds',
      'From taking a delivery to its settlement.',
      ['queue'],
    ),
  }
}
