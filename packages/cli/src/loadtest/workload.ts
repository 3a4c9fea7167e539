/**
 * The workload: which event is the `index`th, whom it is about, and which invocations it must lead to. Pure.
 *
 * Events go round the conversations in turn, so that an event's index tells its conversation and its place in it. Conversations
 * are divided among persons, persons among accounts; the `n`th subscriber watches person `n` modulo the number of persons.
 */
import { type Chain, invocationIdOf, runIdOf, type VumiApiEvent } from '@signalbox/contracts'

export interface WorkloadOptions {
  /** Part of every name, so that two runs never meet. */
  runId: string
  accounts: number
  conversations: number
  subscribers: number
  chainLength: number
  handlerMs: number
  /** Of filling in each event's data. */
  payloadBytes: number
}

export interface Person {
  accountKey: string
  personKey: string
}

export type Workload = ReturnType<typeof createWorkload>

export const CHAIN_ID = 'loadtest'
const CONVERSATION_TYPE = 'loadtest'
/** A state change goes both ways: to the chains that want it, and to the sockets of its person. */
const EVENT_TYPE = 'flow_state_change'

export function createWorkload(options: WorkloadOptions) {
  const { runId, conversations, subscribers, chainLength, handlerMs } = options
  const persons = Math.min(subscribers, conversations)
  const groups = persons > 0 ? persons : conversations
  const accounts = Math.min(options.accounts, groups)
  const handlerName = `loadtest-${runId}`
  const eventIdPrefix = `loadtest-${runId}-`
  const filling = 'x'.repeat(options.payloadBytes)

  const accountKeyOf = (group: number) => `loadtest-${runId}-${group % accounts}`
  const personOf = (person: number): Person => ({
    accountKey: accountKeyOf(person),
    personKey: `p${person}`,
  })
  const groupOf = (index: number) => (index % conversations) % groups
  const eventIdOf = (index: number) => `${eventIdPrefix}${index}`
  const stepIdOf = (step: number) => `step-${step}`

  return {
    handlerName,
    conversations,
    chainLength,
    /** How many subscribers watch the same person, at most: each rank sees every event once, or not at all. */
    ranks: persons === 0 ? 0 : Math.ceil(subscribers / persons),
    subscribers: Array.from({ length: subscribers }, (_, subscriber) => ({
      ...personOf(subscriber % persons),
      rank: Math.floor(subscriber / persons),
    })),
    accountKeys: Array.from({ length: accounts }, (_, account) => accountKeyOf(account)),
    conversationOf: (index: number) => index % conversations,
    accountKeyOf: (index: number) => accountKeyOf(groupOf(index)),
    eventIdOf,
    /** The subscriber whose socket must show the event on this rank, or undefined when nobody of that rank watches. */
    subscriberOf(index: number, rank: number): number | undefined {
      const subscriber = rank * persons + groupOf(index)
      return subscriber < subscribers ? subscriber : undefined
    },
    eventOf(index: number, atMs: number): VumiApiEvent {
      const { accountKey, personKey } = personOf(groupOf(index))
      return {
        event_id: eventIdOf(index),
        account_key: accountKey,
        conversation_key: `c${index % conversations}`,
        conversation_type: CONVERSATION_TYPE,
        event_type: EVENT_TYPE,
        timestamp: new Date(atMs).toISOString(),
        ...(persons === 0 ? {} : { person_key: personKey }),
        event_data: {
          id: String(index),
          identifier: 'loadtest',
          state: 'active',
          previous_state: 'paused',
          filling,
        },
      }
    },
    /** Whether this invocation is the one that a step of this event must have, however often it comes. */
    isInvocationOf(index: number, step: number, invocationId: string): boolean {
      const runIdentity = runIdOf(accountKeyOf(groupOf(index)), eventIdOf(index), CHAIN_ID)
      return invocationId === invocationIdOf(runIdentity, stepIdOf(step))
    },
    /** The same for each account. */
    chain(): Chain {
      return {
        name: 'Load test',
        enabled: true,
        trigger: { conversation_type: CONVERSATION_TYPE, event_type: EVENT_TYPE },
        steps: Array.from({ length: chainLength }, (_, step) => ({
          id: stepIdOf(step),
          handler: handlerName,
          config: { step, work_ms: handlerMs, index: '${{ event.event_data.id }}' },
          on_error: 'stop' as const,
        })),
      }
    },
  }
}
