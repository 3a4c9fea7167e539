/**
 * The life of a process: parse the configuration, start, work, drain on SIGTERM or SIGINT, exit 0.
 *
 * What `start` creates it registers on the scope, and it is torn down in the reverse order. A signal during the start (it
 * may wait for a broker that is away) tears down what there is so far. A second signal, or a drain that takes longer than it may
 * (counted from the signal), ends the process at once with exit code 1.
 */
import { AppError, ConfigError } from './errors.ts'
import { createLogger, type Log } from './logging.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { createReadiness, type Readiness } from './readiness.ts'

export interface ServiceScope {
  /** Registers something to be torn down when the process ends; returns it. */
  use<Resource extends AsyncDisposable>(resource: Resource): Resource
  defer(teardown: () => Promise<unknown> | unknown): void
  readonly log: Log
  readonly readiness: Readiness
  readonly metrics: Metrics
}

export interface ServiceOptions {
  /** As logs call it. */
  name: string
  config: { LOG_LEVEL: string; DRAIN_TIMEOUT_MS: number }
}

/** Runs until a signal; never rejects: what goes wrong is logged and becomes the exit code. */
export async function runService(
  options: ServiceOptions,
  start: (scope: ServiceScope) => Promise<void>,
): Promise<void> {
  const { name, config } = options
  const log = createLogger({ service: name, level: config.LOG_LEVEL })
  const stack = new AsyncDisposableStack()
  const scope: ServiceScope = {
    use: (resource) => stack.use(resource),
    defer: (teardown) => stack.defer(async () => void (await teardown())),
    log,
    readiness: createReadiness(),
    metrics: createMetrics(),
  }

  let phase: string | undefined = 'starting'
  scope.readiness.add('service', () => phase)

  const hurry = once(() => {
    setTimeout(() => {
      log.error({ drainTimeoutMs: config.DRAIN_TIMEOUT_MS }, 'service.drain_timed_out')
      process.exit(1)
    }, config.DRAIN_TIMEOUT_MS)
    process.on('SIGTERM', () => process.exit(1)).on('SIGINT', () => process.exit(1))
  })
  // n.b. armed by the signal itself, not after `start`: a start that hangs must not outlive it.
  const stopping = signalled().then((signal) => {
    phase = 'stopping'
    hurry()
    return signal
  })
  let exitCode = 0
  try {
    const starting = start(scope).then(() => {
      if (phase === 'starting') phase = undefined
      log.info({}, 'service.started')
    })
    await Promise.race([starting, stopping])
    // n.b. a start that is cut off may fail over what is torn down under it; that is no failure of the service.
    if (phase === 'stopping') starting.catch(() => undefined)
    log.info({ signal: await stopping }, 'service.stopping')
  } catch (error) {
    log.error({ err: error }, 'service.failed')
    exitCode = 1
  }

  hurry()
  try {
    await stack.disposeAsync()
    log.info({}, 'service.stopped')
  } catch (error) {
    log.error({ err: error }, 'service.teardown_failed')
    exitCode = 1
  }
  process.exit(exitCode)
}

/**
 * The head of every `main.ts`: a bad configuration prints its reasons, without a stack, and exits 1.
 */
export function orExit<Value>(read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  }
}

export function isRetryable(error: unknown): boolean {
  return error instanceof AppError && error.retryable
}

function once(act: () => void): () => void {
  let isDone = false
  return () => {
    if (!isDone) act()
    isDone = true
  }
}

function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve).once('SIGINT', resolve)
  })
}
