/** What a test sees of one account: biographies over HTTP, frames on bare sockets, messages at the demo SMS gateway. */
import { openSocket, type TestSocket, waitFor } from '@signalbox/testkit'
import { type Answer, request, type System } from './system.ts'

export interface Biography {
  outcome: string
  reason?: string
  runs: {
    chain_id: string
    version: number
    status: string
    steps: { step_id: string; status: string }[]
  }[]
}

export type Observer = ReturnType<typeof observe>

export function observe(system: Pick<System, 'api' | 'survey'>, account: string) {
  const api = (path: string) => `${system.api.url}/v1/accounts/${account}${path}`
  return {
    /** The URL of `path` in the account. */
    api,

    /** The event's biography once it has that outcome. */
    async biography(eventId: string, outcome: string): Promise<Biography> {
      let last: Answer<Biography> | undefined
      await waitFor(
        async () => {
          last = await request<Biography>('GET', api(`/events/${encodeURIComponent(eventId)}`))
          return last.status === 200 && last.body.outcome === outcome
        },
        { what: `event ${eventId} to be ${outcome}` },
      ).catch((error: Error) => {
        throw new Error(`${error.message}; its biography: ${JSON.stringify(last)}`)
      })
      return last!.body
    },

    /** A bare socket that watches one entity of one person; its subscription was answered byte for byte as it should be. */
    async subscribed(
      edgeUrl: string,
      person: string,
      entity: 'flow' | 'step',
      requestId: number | string,
    ): Promise<TestSocket> {
      const { body } = await request<{ token: string }>('POST', api('/tokens'), {
        person_key: person,
      })
      const socket = await openSocket(`${edgeUrl.replace(/^http/, 'ws')}/v1/socket`, {
        protocols: ['signalbox.v1'],
        headers: { authorization: `Bearer ${body.token}` },
      })
      const data = { person_key: person, entity }
      socket.send({ action: 'subscribe_state_change', request_id: requestId, data })
      const answer = await socket.next()
      if (answer === `{"request_id":${JSON.stringify(requestId)},"errors":[],"status":200}`)
        return socket
      await socket[Symbol.asyncDispose]()
      throw new Error(`the subscription was answered ${answer}`)
    },

    /** What was sent to the number, or false while nothing was. */
    async smsTo(msisdn: string): Promise<object[] | false> {
      const { body } = await request<{ messages: object[] }>(
        'GET',
        `${system.survey.url}/demo-sms-gateway/messages?to=${encodeURIComponent(msisdn)}`,
      )
      return body.messages.length > 0 && body.messages
    },
  }
}

/** A counter of a process, summed over its labels. */
export async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const values = text.split('\n').filter((line) => line.startsWith(name))
  return values.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}
