/** What the callbacks service counts. */
import { counter, durationHistogram, gauge, type Metrics } from '@signalbox/kit'
import type { Admissions } from './admission.ts'

export type CallbackMetrics = ReturnType<typeof createCallbackMetrics>

export function createCallbackMetrics(
  registry: Metrics,
  admissions: Pick<Admissions, 'inFlight' | 'waiting' | 'countOpen'>,
) {
  gauge(
    registry,
    'signalbox_callbacks_in_flight',
    'Callbacks under way.',
    () => admissions.inFlight,
  )
  gauge(
    registry,
    'signalbox_callbacks_waiting',
    'Callbacks that wait in this process, for a moment, for a place at their endpoint.',
    () => admissions.waiting,
  )
  gauge(
    registry,
    'signalbox_callback_circuits_open',
    'Endpoints whose circuit is open or probed.',
    () => admissions.countOpen(),
  )
  return {
    callbacks: counter(
      registry,
      'signalbox_callbacks_total',
      'Attempts to deliver a callback, by how they ended.',
      ['type', 'outcome'],
    ),
    duration: durationHistogram(
      registry,
      'signalbox_callback_duration_seconds',
      'How long an attempt took, from the request to its end.',
      ['type'],
    ),
    deferred: counter(
      registry,
      'signalbox_callbacks_deferred_total',
      'Callbacks that were put off because there was no place for them, by reason.',
      ['type', 'reason'],
    ),
    disabled: counter(
      registry,
      'signalbox_listeners_disabled_total',
      'Listeners that were disabled because their endpoint is gone or failed for too long.',
    ),
    unrecorded: counter(
      registry,
      'signalbox_callback_records_dropped_total',
      'Records of attempts that were dropped because the store did not take them.',
    ),
  }
}
