import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { testHandler } from '@signalbox/worker/testing'
import { afterEach, describe, expect, test } from 'vitest'
import { sendSmsHandler } from '../src/send-sms.ts'
import { createSmsGateway } from '../src/sms-gateway.ts'

/** May go on after it returned. */
type Answer = (request: IncomingMessage, response: ServerResponse) => unknown

const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

/** A gateway on a local port that answers with `answer`. */
async function listen(answer: Answer): Promise<string> {
  const server = createServer((request, response) => void answer(request, response))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/sms`
}

async function send(answer: Answer, options: { token?: string; timeoutMs?: number } = {}) {
  const url = await listen(answer)
  return testHandler(sendSmsHandler(createSmsGateway({ url, ...options })), {
    config: { to: '27831234567', body: 'Hi' },
    idempotencyKey: 'i1',
  })
}

const answering =
  (status: number, headers: Record<string, string> = {}, body = ''): Answer =>
  (_request, response) =>
    void response.writeHead(status, headers).end(body)

describe('send_sms', () => {
  test('posts number and text once, with its idempotency key and credential', async () => {
    let seen: Pick<IncomingMessage, 'method' | 'url' | 'headers'> | undefined
    let body: unknown
    const outcome = await send(
      async (request, response) => {
        seen = request
        body = await json(request)
        response.writeHead(201).end('{"message_id":"m1","more":true}')
      },
      { token: 'tok' },
    )
    expect(outcome).toMatchObject({
      status: 'succeeded',
      output: { status: 201, message_id: 'm1' },
    })
    expect(body).toEqual({ to: '+27831234567', body: 'Hi' })
    expect(seen).toMatchObject({
      method: 'POST',
      url: '/sms',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': 'i1',
        authorization: 'Bearer tok',
      },
    })
  })

  test.each([
    ['nothing', '', undefined],
    ['no JSON', 'OK', undefined],
    ['a number for an id', '{"message_id":7}', '7'],
  ])('a 2xx with %s has taken the message', async (_what, body, messageId) => {
    const { output } = await send(answering(200, {}, body))
    expect(output).toEqual({ status: 200, ...(messageId ? { message_id: messageId } : {}) })
  })

  test.each([400, 401, 404, 422])(
    'a %i is a failure for good, without the answer in it',
    async (status) => {
      const { error } = await send(answering(status, {}, 'secret-of-the-gateway'))
      expect(error).toMatchObject({ code: 'SMS_REJECTED', retryable: false })
      expect(error?.message).toMatch(
        new RegExp(`^the SMS gateway at 127\\.0\\.0\\.1:\\d+ answered ${status}$`),
      )
    },
  )

  test('a redirect is not followed', async () => {
    let requests = 0
    const { error } = await send((_request, response) => {
      requests += 1
      response.writeHead(307, { location: '/elsewhere' }).end()
    })
    expect(error).toMatchObject({ code: 'SMS_REJECTED', retryable: false })
    expect(requests).toBe(1)
  })

  test.each([408, 429, 500, 503])('a %i may pass', async (status) => {
    const { error } = await send(answering(status))
    expect(error).toMatchObject({ code: 'SMS_GATEWAY_BUSY', retryable: true })
    expect(error).not.toHaveProperty('retry_after_ms')
  })

  test('Retry-After in seconds is when it makes sense to try again', async () => {
    const { error } = await send(answering(429, { 'retry-after': '7' }))
    expect(error).toMatchObject({ retryable: true, retry_after_ms: 7_000 })
  })

  test('Retry-After as a date is, too', async () => {
    const date = new Date(Date.now() + 60_000).toUTCString()
    const { error } = await send(answering(429, { 'retry-after': date }))
    expect(error?.retry_after_ms).toBeGreaterThan(50_000)
    expect(error?.retry_after_ms).toBeLessThanOrEqual(60_000)
  })

  test('a gateway that never answers fails after its time, and may pass', async () => {
    const { error } = await send(() => undefined, { timeoutMs: 50 })
    expect(error).toMatchObject({ code: 'SMS_GATEWAY_UNREACHABLE', retryable: true })
    expect(error?.message).toMatch(
      /^the SMS gateway at 127\.0\.0\.1:\d+ gave no answer within 50 ms$/,
    )
  })

  test('a connection that is cut, or refused, may pass', async () => {
    const cut = await send((request) => request.socket.destroy())
    expect(cut.error).toMatchObject({ code: 'SMS_GATEWAY_UNREACHABLE', retryable: true })

    const url = await listen(answering(200))
    const server = servers.pop()!
    await new Promise((resolve) => server.close(resolve))
    const { error } = await testHandler(sendSmsHandler(createSmsGateway({ url })), {
      config: { to: '27831234567', body: 'Hi' },
    })
    expect(error).toMatchObject({ code: 'SMS_GATEWAY_UNREACHABLE', retryable: true })
    expect(error?.message).toContain('(ECONNREFUSED)')
  })

  test('an answer without end is read up to a bound, and the message was taken', async () => {
    let writtenBytes = 0
    const isOver = Promise.withResolvers<void>()
    const { output } = await send((_request, response) => {
      response.writeHead(200)
      const write = () => {
        while (response.writable) {
          writtenBytes += 16_384
          if (!response.write('x'.repeat(16_384))) break
        }
      }
      response.on('drain', write).on('close', isOver.resolve).on('error', isOver.resolve)
      write()
    })
    expect(output).toEqual({ status: 200 })
    await isOver.promise
    expect(writtenBytes).toBeLessThan(32 * 1024 * 1024)
  })

  test('an answer that stops in its middle does not undo that the message was taken', async () => {
    const { output } = await send(
      (_request, response) => void response.writeHead(202).write('{"message_id":'),
      { timeoutMs: 50 },
    )
    expect(output).toEqual({ status: 202 })
  })

  test('without a gateway it fails for good and says what to configure', async () => {
    const { error } = await testHandler(sendSmsHandler(undefined), {
      config: { to: '27831234567', body: 'Hi' },
    })
    expect(error).toMatchObject({ code: 'SMS_NOT_CONFIGURED', retryable: false })
    expect(error?.message).toContain('SMS_GATEWAY_URL')
  })
})
