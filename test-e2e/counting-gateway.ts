/** An SMS gateway that sends nothing and counts what it is asked to send, by body. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'

export interface CountingGateway extends AsyncDisposable {
  /** What the handlers post messages to. */
  readonly url: string
  /** Body -> how often it was asked to be sent. */
  readonly sent: ReadonlyMap<string, number>
}

/** Takes `answerAfterMs` for each message, so that whoever posts has work in hand. */
export async function startCountingGateway(answerAfterMs: number): Promise<CountingGateway> {
  const sent = new Map<string, number>()
  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { body } = (await json(request)) as { body: string }
    sent.set(body, (sent.get(body) ?? 0) + 1)
    await pause(answerAfterMs)
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ message_id: `${sent.size}` }))
  }
  const server = createServer((request, response) => {
    take(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/messages`,
    sent,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
