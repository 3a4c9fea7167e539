/**
 * What the compose file says, done without containers: the same commands with the same environment as processes, host names
 * mapped to loopback, readiness asked with each service's own health check.
 */
import { readFile } from 'node:fs/promises'
import {
  freePort,
  leaseRabbitMq,
  leaseRedis,
  startProcess,
  type TestProcess,
  waitFor,
} from '@signalbox/testkit'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'

interface ComposeService {
  image: string
  command?: string[]
  environment?: Record<string, string | number>
  healthcheck: { test: string[] }
  restart: string
  stop_grace_period?: string
  depends_on?: Record<string, { condition: string }>
  ports?: string[]
}

const compose = parse(await readFile('docker-compose.yml', 'utf8'), { merge: true }) as {
  services: Record<string, ComposeService>
}
const dockerfile = await readFile('Dockerfile', 'utf8')
const manifest = JSON.parse(await readFile('package.json', 'utf8')) as {
  devDependencies: Record<string, string>
}

const isOurs = ([, service]: [string, ComposeService]) => service.image === 'signalbox:local'
const ours = Object.entries(compose.services).filter(isOurs)
const dotEnv = {
  SIGNALBOX_ADMIN_KEY: 'k'.repeat(64),
  SIGNALBOX_TOKEN_SECRET: 's'.repeat(64),
  SIGNALBOX_SEALING_KEY: 'f'.repeat(64),
}

const stack = new AsyncDisposableStack()
afterAll(() => stack.disposeAsync())

describe('the compose file', () => {
  it('has each service in a container of its own, with health check, restart policy and a grace period beyond the drain', () => {
    expect(ours.map(([name]) => name).toSorted()).toEqual([
      'api',
      'callbacks',
      'dispatcher',
      'edge',
      'handlers',
      'survey',
    ])
    for (const [name, service] of Object.entries(compose.services)) {
      expect(service.healthcheck.test[0], name).toBe('CMD')
      expect(service.restart, name).toBe('unless-stopped')
    }
    for (const [name, service] of ours) {
      expect(Number.parseInt(service.stop_grace_period ?? '', 10), name).toBeGreaterThan(25)
      expect(service.depends_on, name).toEqual({
        rabbitmq: { condition: 'service_healthy' },
        redis: { condition: 'service_healthy' },
      })
    }
  })

  it('publishes no fixed port of a service that it means to scale', () => {
    for (const name of ['dispatcher', 'handlers', 'callbacks', 'edge'])
      expect(compose.services[name]?.ports, name).toBeUndefined()
  })

  it('refuses to start without secrets instead of having some', () => {
    for (const name of ['api', 'edge', 'survey']) {
      expect(compose.services[name]?.environment?.SIGNALBOX_TOKEN_SECRET, name).toMatch(
        /^\$\{SIGNALBOX_TOKEN_SECRET:\?/,
      )
    }
    expect(() => interpolate('${SIGNALBOX_ADMIN_KEY:?put it into .env}', {})).toThrow(
      'put it into .env',
    )
  })

  it('pins every image, and the one of the services to the Node that the tests ran on', () => {
    for (const [name, { image }] of Object.entries(compose.services)) {
      if (image !== 'signalbox:local') expect(image, name).toMatch(/^[a-z]+:\d+\.\d+/)
    }
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image)
    expect(new Set(bases)).toEqual(new Set([`node:${manifest.devDependencies.node}-alpine`]))
    expect(dockerfile).toMatch(/^USER node$/m)
  })

  it('runs: its commands with its environment become ready, and its main job gets done', async () => {
    const [rabbitmq, redis] = [stack.use(await leaseRabbitMq()), stack.use(await leaseRedis())]
    const ports = new Map<string, number>()
    for (const [, { environment }] of ours) ports.set(String(environment?.PORT), await freePort())
    const toLoopback = (value: string) =>
      value
        .replace(/^amqp:\/\/signalbox:signalbox@rabbitmq:5672$/, rabbitmq.amqpUrl)
        .replace(/^redis:\/\/redis:6379\/0$/, redis.redisUrl)
        .replace(/http:\/\/([a-z]+):(\d+)/, (_all, host: string, port: string) => {
          expect(compose.services[host]?.environment?.PORT, `${host} listens on ${port}`).toBe(
            Number(port),
          )
          return `http://127.0.0.1:${ports.get(port)}`
        })

    const processes = new Map<string, { url: string; process: TestProcess }>()
    for (const [name, service] of ours) {
      const [node, entry, ...rest] = service.command ?? []
      expect([node, rest], name).toEqual(['node', []])
      const port = ports.get(String(service.environment?.PORT))
      const environment = Object.entries(service.environment ?? {}).map(([variable, value]) => {
        const text =
          variable === 'PORT' ? String(port) : toLoopback(interpolate(String(value), dotEnv))
        return [variable, text] as const
      })
      const env = { ...Object.fromEntries(environment), SIGNALBOX_NAMESPACE: redis.namespace }
      const started = stack.use(await startProcess({ name, entry: entry!, env }))
      processes.set(name, { url: `http://127.0.0.1:${port}`, process: started })
      expect(service.healthcheck.test.at(-1), name).toBe(
        `http://127.0.0.1:${String(service.environment?.PORT)}/readyz`,
      )
    }
    await Promise.all([...processes.values()].map(({ url, process }) => process.waitForReady(url)))

    const call = async (method: string, path: string, body?: object) => {
      const response = await fetch(`${processes.get('api')!.url}/v1/accounts/demo${path}`, {
        method,
        headers: {
          authorization: `Bearer ${dotEnv.SIGNALBOX_ADMIN_KEY}`,
          'content-type': 'application/json',
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    }
    const chain = {
      name: 'SMS',
      trigger: { conversation_type: 'poll', event_type: 'poll_complete' },
      steps: [
        { id: 'sms', handler: 'send_sms', config: { to: '+27820000009', body: 'Thank you!' } },
      ],
    }
    await waitFor(async () => (await call('PUT', '/chains/sms', chain)).status < 300, {
      what: 'the chain to be saved',
    })
    const event = {
      event_id: 'e1',
      conversation_key: 'c',
      conversation_type: 'poll',
      event_type: 'poll_complete',
      event_data: {},
    }
    expect((await call('POST', '/events', event)).status).toBe(202)
    await waitFor(async () => (await call('GET', '/events/e1')).body.outcome === 'succeeded', {
      what: 'the SMS to be sent',
    })

    for (const [name, { process }] of processes) {
      process.kill('SIGTERM')
      expect(await process.exited, name).toBe('exit code 0')
    }
  })
})

/** Compose's own interpolation, as far as the file uses it: `${NAME:-default}` and `${NAME:?message}`. */
function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$\{(\w+):([-?])([^}]*)\}/g,
    (_all, name: string, kind: string, rest: string) => {
      const value = env[name]
      if (value !== undefined) return value
      if (kind === '?') throw new Error(`${name}: ${rest}`)
      return rest
    },
  )
}
