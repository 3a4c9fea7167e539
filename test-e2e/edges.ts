/** An api, edges that stay at their address over their deaths, and a source that publishes state changes: without the rest of a system. */
import { freePort, startProcess, type TestProcess } from '@signalbox/testkit'
import amqp, { type ConfirmChannel } from 'amqplib'
import { ADMIN_KEY, type Brokers, type Instance, SEALING_KEY, TOKEN_SECRET } from './system.ts'

export interface Edge extends AsyncDisposable {
  /** `http://…`. */
  readonly url: string
  ready(): Promise<void>
  /** SIGKILL, and the same again at the same address; resolves when it does its work. */
  killAndRestart(): Promise<void>
  /** SIGKILL, for good. */
  kill(): Promise<void>
}

function startService(name: string, brokers: Brokers, port: number): Promise<TestProcess> {
  return startProcess({
    name: `${name} ${port}`,
    entry: `services/${name}/src/main.ts`,
    env: {
      AMQP_URL: brokers.amqpUrl,
      REDIS_URL: brokers.redisUrl,
      SIGNALBOX_NAMESPACE: brokers.namespace,
      SIGNALBOX_ADMIN_KEY: ADMIN_KEY,
      SIGNALBOX_TOKEN_SECRET: TOKEN_SECRET,
      SIGNALBOX_SEALING_KEY: SEALING_KEY,
      HOST: '127.0.0.1',
      PORT: String(port),
      LOG_LEVEL: 'warn',
    },
  })
}

/** Ready; its process is the caller's to dispose. */
export async function startApi(brokers: Brokers): Promise<Instance> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const process = await startService('api', brokers, port)
  await process.waitForReady(url)
  return { url, process }
}

export async function startEdge(brokers: Brokers): Promise<Edge> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const start = () => startService('edge', brokers, port)
  let process = await start()
  const kill = async () => {
    process.kill('SIGKILL')
    await process.exited
  }
  return {
    url,
    ready: () => process.waitForReady(url),
    kill,
    async killAndRestart() {
      await kill()
      process = await start()
      await process.waitForReady(url)
    },
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  }
}

export interface Source extends AsyncDisposable {
  /** One change of each person's flow, its `data.id` as given; resolves when all are confirmed. */
  publish(changes: readonly { personKey: string; id: string }[]): Promise<void>
}

/** A plain AMQP client, as a conversation worker in any language may be. */
export async function openSource(
  { amqpUrl, namespace }: Brokers,
  accountKey: string,
): Promise<Source> {
  const connection = await amqp.connect(amqpUrl)
  const channel: ConfirmChannel = await connection.createConfirmChannel()
  let count = 0
  return {
    async publish(changes) {
      for (const { personKey, id } of changes) {
        count += 1
        const event = {
          event_id: `${personKey}-${count}`,
          account_key: accountKey,
          conversation_key: 'c1',
          conversation_type: 'survey',
          event_type: 'flow_state_change',
          person_key: personKey,
          event_data: { id, identifier: 'i', state: 'active', previous_state: null },
          timestamp: new Date().toISOString(),
        }
        channel.publish(
          `${namespace}.events`,
          `survey.flow_state_change.${accountKey}`,
          Buffer.from(JSON.stringify(event)),
          { deliveryMode: 2, contentType: 'application/json', type: 'VumiApiEvent' },
        )
      }
      await channel.waitForConfirms()
    },
    async [Symbol.asyncDispose]() {
      await connection.close()
    },
  }
}
