/** The chain that a listener is: derived, so that it can be made again at any time. */
import { callbackStep } from './callback.ts'
import type { Chain, RetryPolicy } from './chain.ts'
import { eventTypesOf, type Listener } from './listener.ts'

const PREFIX = 'listener-'
const DEFAULT_RETRY: RetryPolicy = { max_attempts: 11, schedule: 'webhook' }

/** The only step of a listener's chain. */
export const DELIVER_STEP = 'deliver'

export function listenerChainIdOf(listenerId: string): string {
  return `${PREFIX}${listenerId}`
}

/** The listener that a chain would belong to, by its identity; undefined: none. */
export function listenerIdOfChain(chainId: string): string | undefined {
  return chainId.startsWith(PREFIX) && chainId.length > PREFIX.length
    ? chainId.slice(PREFIX.length)
    : undefined
}

/** Pure; the same listener gives the same chain. It holds no secret. */
export function chainOfListener(listener: Listener): Chain {
  const { listener_id, name, conversation_type = '*', conversation_key, retry, state } = listener
  const { handler, config } = callbackStep(listener.callback)
  const types = eventTypesOf(listener)
  const when = conditionOf(listener)
  return {
    name: `Listener: ${name}`.slice(0, 200),
    enabled: state === 'active',
    trigger: {
      conversation_type,
      event_type: Array.isArray(types) && types.length === 1 ? types[0]! : types,
      ...(conversation_key === undefined ? {} : { conversation_key }),
      ...(when === undefined ? {} : { when }),
    },
    steps: [
      {
        id: DELIVER_STEP,
        handler,
        config: { listener_id, ...config },
        retry: retry ?? DEFAULT_RETRY,
        on_error: 'stop',
      },
    ],
  }
}

/** A workflow of a workbook is called `<workbook>.<workflow>`; one that is in none has the name alone. */
function conditionOf({ workbook_name, when }: Listener): string | undefined {
  if (workbook_name === undefined) return when
  const workflow = 'event.event_data.workflow_name'
  const [name, prefix] = [workbook_name, `${workbook_name}.`].map((text) => JSON.stringify(text))
  const isOfWorkbook = `has(${workflow}) && (${workflow} == ${name} || ${workflow}.startsWith(${prefix}))`
  return when === undefined ? isOfWorkbook : `${isOfWorkbook} && (${when})`
}
