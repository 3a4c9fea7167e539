/** Metrics: one prom-client registry per process; label values are bounded sets, never keys of users. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type Metrics = Registry

export function createMetrics({
  withProcessMetrics = true,
}: {
  withProcessMetrics?: boolean
} = {}): Metrics {
  const registry = new Registry()
  if (withProcessMetrics) collectDefaultMetrics({ register: registry })
  return registry
}

export function counter<Label extends string>(
  registry: Metrics,
  name: string,
  help: string,
  labelNames: readonly Label[] = [],
) {
  return new Counter<Label>({ name, help, labelNames, registers: [registry] })
}

/** Buckets in seconds, from a fast hop to a slow gateway. */
const DURATION_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function durationHistogram<Label extends string>(
  registry: Metrics,
  name: string,
  help: string,
  labelNames: readonly Label[] = [],
) {
  return new Histogram<Label>({
    name,
    help,
    labelNames,
    buckets: DURATION_BUCKETS_S,
    registers: [registry],
  })
}

export function gauge(registry: Metrics, name: string, help: string, read: () => number) {
  return new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read())
    },
  })
}
