/**
 * Readiness: whether a process does its work now, and if not, why. Each part that can keep it from working
 * registers a check; `/readyz` answers 503 with the reasons until all of them pass.
 */

/** `undefined`: fine. A string: what is wrong, for people, without secrets. */
export type ReadinessCheck = () => string | undefined

export interface Readiness {
  /** `name` is what the answer calls it: `rabbitmq`, `redis`, `consumer signalbox.dispatcher.events`. */
  add(name: string, check: ReadinessCheck): void
  report(): { ready: boolean; reasons: Record<string, string> }
}

export function createReadiness(): Readiness {
  const checks = new Map<string, ReadinessCheck>()
  return {
    add(name, check) {
      checks.set(name, check)
    },
    report() {
      const reasons: Record<string, string> = {}
      for (const [name, check] of checks) {
        const reason = check()
        if (reason !== undefined) reasons[name] = reason
      }
      return { ready: Object.keys(reasons).length === 0, reasons }
    },
  }
}
