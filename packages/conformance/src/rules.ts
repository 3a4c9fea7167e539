/** The wire contract of a handler worker as rules, in the order in which they are checked. docs/handler-workers.md tells them to authors. */

export const WORKER_RULES = {
  'consumes-queue':
    'The queue of the handler exists, takes what is published under its name, and has a consumer.',
  'answers-single': 'An array of one invocation is answered with one result, which succeeded.',
  'answers-batch': 'An array of several invocations is answered with one result for each.',
  'echoes-identity': '`invocation_id` and `attempt` come back as they were sent.',
  'echoes-context':
    '`context` comes back as the same JSON: unknown fields, every text, number and depth.',
  'honours-reply-to': "Results go to the queue that the message's `reply_to` names.",
  'reports-bad-config':
    'A config that does not fit gives a failed result with a code, a message and `retryable: false`.',
  'survives-not-json': 'A message that is not JSON stops nothing.',
  'survives-wrong-shape': 'JSON that is no array of invocations stops nothing.',
  'answers-redelivered': 'What is delivered again is answered under the same identity.',
  'confirms-before-ack':
    'A message is acknowledged only after the broker has confirmed its answer.',
  'bounds-prefetch':
    'The consumer acknowledges by itself and has 1 to 1,000 messages in hand at most.',
  'survives-connection-loss':
    'After the loss of its connection the worker comes back by itself and answers what it had in hand.',
  'finishes-on-sigterm':
    'On SIGTERM the worker answers what it has in hand, leaves the rest in the queue and exits with 0.',
  'sends-results': 'Every answer is an array of 1 to 64 results, in JSON, with all their fields.',
  'bounds-results': 'An output is at most 64 KiB, a message at most 1 MiB.',
  'sends-persistent':
    'Every answer is persistent (`delivery_mode` 2), its content type `application/json`.',
} as const

export type RuleId = keyof typeof WORKER_RULES
