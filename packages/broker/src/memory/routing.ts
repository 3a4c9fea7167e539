/** Which queues an exchange sends a message to, by AMQP's rules. */
import type { ExchangeType } from '../topology.ts'

/** Source: https://www.rabbitmq.com/tutorials/tutorial-five-javascript#topic-exchange */
const ONE_WORD = '*'
const ANY_WORDS = '#'

export type RoutingKeyTest = (routingKey: string) => boolean

export type Headers = Readonly<Record<string, string>>

/** The test that a binding of a headers exchange puts a message's headers to. Source: https://www.rabbitmq.com/tutorials/amqp-concepts#exchange-headers */
export function headersTest(wanted: Headers): (headers: Headers) => boolean {
  const entries = Object.entries(wanted)
  return (headers) => entries.every(([name, value]) => headers[name] === value)
}

/** The test that a binding puts a routing key to. */
export function routingKeyTest(
  type: Exclude<ExchangeType, 'headers'>,
  bindingKey: string,
): RoutingKeyTest {
  if (type === 'fanout') return () => true
  if (type === 'direct') return (routingKey) => routingKey === bindingKey
  const pattern = bindingKey.split('.')
  return (routingKey) => matchesTopic(pattern, routingKey.split('.'))
}

/**
 * `*` is exactly one word, `#` none or more. Walks both once, remembering the last `#` to widen it when what follows does not
 * fit, so that no pattern can take more than pattern times key.
 */
function matchesTopic(pattern: readonly string[], words: readonly string[]): boolean {
  let at = 0
  let word = 0
  let lastAny = -1
  let resumeAt = 0
  while (word < words.length) {
    if (pattern[at] === ANY_WORDS) {
      lastAny = at
      resumeAt = word
      at += 1
    } else if (at < pattern.length && (pattern[at] === ONE_WORD || pattern[at] === words[word])) {
      at += 1
      word += 1
    } else if (lastAny >= 0) {
      at = lastAny + 1
      resumeAt += 1
      word = resumeAt
    } else {
      return false
    }
  }
  return pattern.slice(at).every((part) => part === ANY_WORDS)
}
