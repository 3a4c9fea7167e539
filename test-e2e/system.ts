/**
 * The system from outside: each service its own process, started as its container would be, on real brokers.
 *
 * Nothing here imports a service. What a test wants to know it asks over HTTP, AMQP or a socket.
 */
import { freePort, startProcess, type TestProcess, waitFor } from '@signalbox/testkit'

export const ADMIN_KEY = 'e2e-admin-key-0123456789-0123456789'
export const TOKEN_SECRET = 'e2e-token-secret-0123456789-0123456789'
export const SEALING_KEY = 'e2e0'.repeat(16)

export interface Brokers {
  amqpUrl: string
  redisUrl: string
  namespace: string
}

export interface SystemOptions extends Brokers {
  /** How many of each; default 1. */
  dispatchers?: number
  handlers?: number
  /** Default 0: listeners are told nothing. */
  callbacks?: number
  edges?: number
  /** For every process; stands above what it is given otherwise. */
  env?: Record<string, string>
}

export interface Instance {
  url: string
  process: TestProcess
}

export interface System extends AsyncDisposable {
  api: Instance
  survey: Instance
  dispatchers: Instance[]
  handlers: Instance[]
  callbacks: Instance[]
  edges: Instance[]
  all: Instance[]
  /** Resolves when every process says it does its work. */
  ready(timeoutMs?: number): Promise<void>
}

export async function startSystem(options: SystemOptions): Promise<System> {
  const { dispatchers = 1, handlers = 1, callbacks = 0, edges = 1 } = options
  const stack = new AsyncDisposableStack()
  const env = {
    AMQP_URL: options.amqpUrl,
    REDIS_URL: options.redisUrl,
    SIGNALBOX_NAMESPACE: options.namespace,
    SIGNALBOX_ADMIN_KEY: ADMIN_KEY,
    SIGNALBOX_TOKEN_SECRET: TOKEN_SECRET,
    SIGNALBOX_SEALING_KEY: SEALING_KEY,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'info',
  }
  const start = async (service: string, extra: Record<string, string> = {}): Promise<Instance> => {
    const port = await freePort()
    const instance = await startProcess({
      name: service,
      entry: `services/${service}/src/main.ts`,
      env: { ...env, PORT: String(port), ...extra, ...options.env },
    })
    stack.use(instance)
    return { url: `http://127.0.0.1:${port}`, process: instance }
  }
  const several = (count: number, service: string, extra?: Record<string, string>) =>
    Promise.all(Array.from({ length: count }, () => start(service, extra)))

  try {
    const edgeInstances = await several(edges, 'edge')
    const survey = await start('survey', {
      DEMO_SMS_GATEWAY: 'true',
      SURVEY_PUBLIC_EDGE_URL: edgeInstances[0]!.url.replace(/^http/, 'ws'),
    })
    const [api, dispatcherInstances, handlerInstances, callbackInstances] = await Promise.all([
      start('api'),
      several(dispatchers, 'dispatcher'),
      several(handlers, 'handlers', { SMS_GATEWAY_URL: `${survey.url}/demo-sms-gateway/messages` }),
      several(callbacks, 'callbacks', {
        SIGNALBOX_CALLBACK_ALLOW: '127.0.0.0/8',
        SIGNALBOX_CALLBACK_ALLOW_HTTP: 'true',
      }),
    ])
    const all = [
      api,
      survey,
      ...dispatcherInstances,
      ...handlerInstances,
      ...callbackInstances,
      ...edgeInstances,
    ]
    const ready = async (timeoutMs = 30_000) => {
      await Promise.all(
        all.map((instance) => instance.process.waitForReady(instance.url, { timeoutMs })),
      )
    }
    await ready()
    return {
      api,
      survey,
      dispatchers: dispatcherInstances,
      handlers: handlerInstances,
      callbacks: callbackInstances,
      edges: edgeInstances,
      all,
      ready,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

export interface Answer<Body> {
  status: number
  body: Body
}

/** One request to the API (or any of ours) with the admin key; the answer is parsed, whatever its status. */
export async function request<Body = Record<string, unknown>>(
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer<Body>> {
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${ADMIN_KEY}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(15_000),
  })
  const text = await response.text()
  return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as Body }
}

/** Saves a chain, trying again while the catalog does not know its handlers yet (they register at their start). */
export async function putChain(
  api: Instance,
  account: string,
  chainId: string,
  chain: unknown,
): Promise<void> {
  await waitFor(
    async () => {
      const answer = await request(
        'PUT',
        `${api.url}/v1/accounts/${account}/chains/${chainId}`,
        chain,
      )
      if (answer.status >= 500 || JSON.stringify(answer.body).includes('there is no handler'))
        return false
      if (answer.status >= 300)
        throw new Error(`the chain was refused: ${JSON.stringify(answer.body)}`)
      return true
    },
    { what: `chain ${chainId} to be saved`, timeoutMs: 15_000 },
  )
}
