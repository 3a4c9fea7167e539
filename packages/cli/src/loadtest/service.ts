/** A process of Signalbox that this load test started: to kill, stop and pause, on the same port every time. */
import { fileURLToPath } from 'node:url'
import {
  freePort,
  type PrivateServer,
  startKeptProcess,
  startPrivateServer,
} from '@signalbox/private-brokers'

const READY_TIMEOUT_MS = 2_000

export interface ServiceOptions {
  name: string
  /** The TypeScript file to run. */
  entry: URL
  args?: readonly string[]
  env: Readonly<Record<string, string>>
  /** Told of each line of its standard output. */
  onLine?: (line: string) => void
}

export interface Service extends PrivateServer {
  /** Its HTTP address. */
  readonly url: string
}

/** Does its work (`/readyz`) when it resolves. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { name, entry, args = [], env, onLine } = options
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const server = await startPrivateServer({
    name,
    launch: () =>
      startKeptProcess({
        name,
        command: [process.execPath, fileURLToPath(entry), ...args],
        env: {
          NODE_ENV: 'production',
          LOG_LEVEL: 'warn',
          HOST: '127.0.0.1',
          PORT: `${port}`,
          ...env,
        },
        ...(onLine ? { onLine } : {}),
      }),
    serves: async () => {
      const signal = AbortSignal.timeout(READY_TIMEOUT_MS)
      const response = await fetch(`${url}/readyz`, { signal })
      await response.body?.cancel()
      return response.ok
    },
  })
  return { ...server, url }
}
