/** The client, in Node and in a real browser, over edges that are killed: every change once and in order, and no gap. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, connect } from '@signalbox/client'
import { leaseRabbitMq, leaseRedis, waitFor } from '@signalbox/testkit'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { launchChromium } from './chromium.ts'
import { type Edge, openSource, type Source, startApi, startEdge } from './edges.ts'
import { type Brokers, request } from './system.ts'

const ACCOUNT = 'live'
const QUICK = { initialMs: 5, maxMs: 60 }
/** A person's log keeps 100 changes: so many may be missed. */
const LUMP = 80
const CHANGES = 10_000
const PERSONS = 1_000
const CHANGES_OF_EACH = 10
const CHANGES_IN_BROWSER = 400

const stack = new AsyncDisposableStack()
let brokers: Brokers
let edges: [Edge, Edge]
let source: Source
let token: string

beforeAll(async () => {
  const [rabbitmq, redis] = [stack.use(await leaseRabbitMq()), stack.use(await leaseRedis())]
  brokers = { amqpUrl: rabbitmq.amqpUrl, redisUrl: redis.redisUrl, namespace: redis.namespace }
  const api = await startApi(brokers)
  stack.use(api.process)
  edges = [stack.use(await startEdge(brokers)), stack.use(await startEdge(brokers))]
  await Promise.all(edges.map((edge) => edge.ready()))
  source = stack.use(await openSource(brokers, ACCOUNT))
  const { body } = await request<{ token: string }>(
    'POST',
    `${api.url}/v1/accounts/${ACCOUNT}/tokens`,
    { scope: 'account' },
  )
  token = body.token
})
afterAll(() => stack.disposeAsync())

/** Sockets that the test can cut, with whatever is on its way. */
function cuttable() {
  const sockets = new Set<WebSocket>()
  class CuttableSocket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      sockets.add(this)
      this.once('close', () => sockets.delete(this))
    }
  }
  return {
    webSocket: CuttableSocket,
    /** Each with the given probability. */
    cut(probability: number) {
      for (const socket of sockets) if (Math.random() < probability) socket.terminate()
    },
  }
}

interface Watcher {
  told: string[]
  gaps: number
  isLive: boolean
}

function watch(client: Client, personKey: string): Watcher {
  const watcher: Watcher = { told: [], gaps: 0, isLive: false }
  const subscription = client.subscribeStateChange(
    { personKey, entity: 'flow' },
    {
      onChange: ({ id }) => watcher.told.push(id),
      onGap: () => {
        watcher.gaps += 1
      },
    },
  )
  subscription.live().then(
    () => {
      watcher.isLive = true
    },
    () => undefined,
  )
  return watcher
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => String(from + n))

/** Soon, and at a moment nobody chose. */
const moment = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 20))

test(`one person's ${CHANGES} changes come once and in order, over sockets that are cut and edges that are killed`, async () => {
  const { webSocket, cut } = cuttable()
  await using client = connect({
    url: edges.map(({ url }) => url),
    token: () => token,
    webSocket,
    backoff: QUICK,
  })
  const watcher = watch(client, 'one')
  await waitFor(() => watcher.isLive, { what: 'the subscription' })
  let restarting: Promise<void> = Promise.resolve()
  let cuts = 0
  for (let from = 0; from < CHANGES; from += LUMP) {
    const to = Math.min(CHANGES, from + LUMP)
    const publishing = source.publish(numbers(from, to).map((id) => ({ personKey: 'one', id })))
    if (from % (LUMP * 40) === LUMP * 20) {
      await restarting
      restarting = edges[(from / (LUMP * 20)) % 2 === 1 ? 0 : 1]!.killAndRestart()
    }
    if (Math.random() < 0.6) {
      await moment()
      cut(1)
      cuts += 1
    }
    await publishing
    await waitFor(() => watcher.told.length >= to, {
      what: `change ${to}`,
      timeoutMs: 30_000,
      intervalMs: 2,
    })
  }
  await restarting
  expect(watcher.told).toEqual(numbers(0, CHANGES))
  expect(watcher.gaps).toBe(0)
  expect(cuts).toBeGreaterThan(20)
}, 180_000)

test(`the changes of ${PERSONS} persons come once and in order to each, over the same`, async () => {
  const { webSocket, cut } = cuttable()
  await using clients = new AsyncDisposableStack()
  const persons = numbers(0, PERSONS).map((n) => `person-${n}`)
  const watchers = persons.map((personKey) => {
    const client = clients.use(
      connect({
        url: edges.map(({ url }) => url),
        token: () => token,
        webSocket,
        backoff: { initialMs: 50, maxMs: 1_000 },
      }),
    )
    return watch(client, personKey)
  })
  await waitFor(() => watchers.every(({ isLive }) => isLive), {
    what: `${PERSONS} subscriptions`,
    timeoutMs: 60_000,
  })
  let restarting: Promise<void> = Promise.resolve()
  for (let n = 0; n < CHANGES_OF_EACH; n += 1) {
    if (n === CHANGES_OF_EACH / 2) restarting = edges[0].killAndRestart()
    await source.publish(persons.map((personKey) => ({ personKey, id: String(n) })))
    cut(0.2)
  }
  await restarting
  await waitFor(() => watchers.every(({ told }) => told.length >= CHANGES_OF_EACH), {
    what: 'every change at everybody',
    timeoutMs: 60_000,
  })
  const wanted = numbers(0, CHANGES_OF_EACH).join()
  expect(watchers.filter(({ told, gaps }) => told.join() !== wanted || gaps > 0)).toEqual([])
}, 180_000)

/** A page in the browser: what the script in it gets from here, and what it leaves for the test. */
interface Page {
  told: { sdk: string[]; bare: string[] }
  gaps: number
  /** Of the edges that the two are connected to. */
  urls: { sdk?: string; bare?: string }
  cut: (() => void)[]
}

/** Runs in the page, over the built file, and over nothing but the platform's WebSocket. */
const SCRIPT = `
import { connect } from './signalbox-client.js'
const { urls, token } = await (await fetch('/settings')).json()
const page = { told: { sdk: [], bare: [] }, gaps: 0, urls: {}, cut: [] }
const PlatformSocket = globalThis.WebSocket
class CuttableSocket extends PlatformSocket {
  constructor(url, protocols) { super(url, protocols); page.cut[0] = () => this.close() }
}
const client = connect({
  url: urls, token: () => token, webSocket: CuttableSocket, backoff: { initialMs: 20, maxMs: 500 },
  onStatus: (status) => { page.urls.sdk = status.state === 'open' ? status.url : undefined },
})
const states = client.subscribeStateChange({ personKey: 'browser', entity: 'flow' })
states.live().then(() => { page.sdkIsLive = true })
;(async () => {
  for await (const item of states) {
    if (item.kind === 'change') page.told.sdk.push(item.change.id)
    else page.gaps += 1
  }
})()

let since
let attempt = 0
function open() {
  const url = urls[attempt++ % urls.length].replace(/^http/, 'ws') + '/v1/socket'
  const socket = new PlatformSocket(url, ['signalbox.v1', 'bearer.' + token])
  page.cut[1] = () => socket.close()
  socket.onopen = () => {
    page.urls.bare = url
    const data = { person_key: 'browser', entity: 'flow', resume: true, ...(since ? { since } : {}) }
    socket.send(JSON.stringify({ action: 'subscribe_state_change', request_id: attempt, data }))
  }
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data)
    if (frame.recovered === false || frame.event === 'gap') page.gaps += 1
    if (frame.event === 'state_change') page.told.bare.push(frame.data.id)
    if (frame.status === 200) page.bareIsLive = true
    since = frame.cursor
  }
  socket.onclose = () => { page.urls.bare = undefined; setTimeout(open, 20 + Math.random() * 100) }
}
open()
globalThis.page = page
`

test(`in Chromium the client and a bare WebSocket see ${CHANGES_IN_BROWSER} changes once and in order, though their edge is killed`, async () => {
  await using stack = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-page-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const built = spawnSync(process.execPath, ['packages/client/scripts/build.ts', folder], {
    encoding: 'utf8',
  })
  expect(built).toMatchObject({ status: 0, stderr: '' })
  const files: Readonly<Record<string, [type: string, content: string]>> = {
    '/': ['text/html', '<!doctype html><script type="module" src="page.js"></script>'],
    '/page.js': ['text/javascript', SCRIPT],
    '/signalbox-client.js': [
      'text/javascript',
      readFileSync(join(folder, 'signalbox-client.js'), 'utf8'),
    ],
    '/settings': ['application/json', JSON.stringify({ token, urls: edges.map(({ url }) => url) })],
  }
  const server = createServer(({ url = '' }, response) => {
    const [type, content] = files[url] ?? ['text/plain', '']
    response.writeHead(content === '' ? 404 : 200, { 'content-type': type }).end(content)
  })
  stack.defer(() => void server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const browser: Browser = await launchChromium()
  stack.defer(() => browser.close())
  const page = await browser.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.message))
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  await page.waitForFunction('globalThis.page?.sdkIsLive && globalThis.page?.bareIsLive')

  const seen = (): Promise<Page> => page.evaluate('globalThis.page')
  for (let from = 0; from < CHANGES_IN_BROWSER; from += LUMP) {
    const to = Math.min(CHANGES_IN_BROWSER, from + LUMP)
    const publishing = source.publish(numbers(from, to).map((id) => ({ personKey: 'browser', id })))
    if (from === LUMP * 2) {
      const { urls } = await seen()
      const ofClient = urls.sdk?.includes(new URL(edges[0].url).host) ? edges[0] : edges[1]
      await ofClient.killAndRestart()
    } else {
      await moment()
      await page.evaluate('for (const cut of globalThis.page.cut) cut()')
    }
    await publishing
    await page.waitForFunction(
      `Math.min(globalThis.page.told.sdk.length, globalThis.page.told.bare.length) >= ${to}`,
    )
  }
  const { told, gaps } = await seen()
  expect(told.sdk).toEqual(numbers(0, CHANGES_IN_BROWSER))
  expect(told.bare).toEqual(numbers(0, CHANGES_IN_BROWSER))
  expect({ gaps, faults }).toEqual({ gaps: 0, faults: [] })
}, 120_000)
