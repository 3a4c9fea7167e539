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
    duplicates: counter(
      registry,
      'signalbox_dispatcher_duplicates_total',
      'Messages about something that was done already; they had no effect.',
      ['of'],
    ),
    retries: counter(
      registry,
      'signalbox_dispatcher_retries_total',
      'Steps sent to be tried again.',
    ),
    parked: counter(
      registry,
      'signalbox_dispatcher_parked_total',
      "Invocations that were parked because their handler's queue did not take them.",
    ),
    fired: counter(
      registry,
      'signalbox_dispatcher_fired_total',
      'Events and commands that steps fired.',
      ['kind'],
    ),
    deadLetters: counter(
      registry,
      'signalbox_dead_letters_kept_total',
      'Dead letters that were kept, by what they are about; deliveries that came twice count twice.',
      ['about'],
    ),
    deadLettersForgotten: counter(
      registry,
      'signalbox_dead_letters_forgotten_total',
      'Dead letters that fell off, too old or too many, for new ones.',
    ),
    progressForgotten: counter(
      registry,
      'signalbox_progress_forgotten_total',
      'Events whose progress fell off before its time, because their account has too many.',
    ),
    settleSeconds: durationHistogram(
      registry,
      'signalbox_dispatcher_settle_seconds',
      'From taking a delivery to its settlement.',
      ['queue'],
    ),
  }
}
