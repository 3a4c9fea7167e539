/** Invocations as a dispatcher sends them, and one whose context is hard to echo. */
import { type HandlerInvocation, type JsonObject, uuidv7 } from '@signalbox/contracts'

export interface InvocationOptions {
  handler: string
  config: JsonObject
}

/** A new one: its identity is its own. */
export function newInvocation({ handler, config }: InvocationOptions): HandlerInvocation {
  const id = uuidv7()
  return {
    invocation_id: id,
    attempt: 1,
    handler,
    config,
    context: {
      run_id: `run-${id}`,
      event: {
        event_id: `event-${id}`,
        account_key: 'conformance',
        conversation_key: 'conversation',
        conversation_type: 'conformance',
        event_type: 'checked',
        event_data: {},
        timestamp: new Date().toISOString(),
      },
      results: {},
      chain: {
        chain_id: 'conformance',
        version: 1,
        name: 'Conformance',
        steps: [{ id: 'step', handler, config, on_error: 'stop' }],
      },
      step_index: 0,
    },
  }
}

/** Below the 64 levels that a message may have, the context's own included. */
const DEPTH = 40

/** Numbers in every notation of JSON, and the field names that languages give a meaning to: written out, as no writer of JSON would. */
const RAW = `{
  "numbers": [0, -17, 0.1, 1.0, 1.5E+3, 1e2, 2.5e-7, 1e300, 0.30000000000000004, 9007199254740991, -9007199254740991],
  "__proto__": {"polluted": true}, "constructor": null, "": "no name", "escaped": "\\u0041\\/\\ud83d\\ude00"
}`
const RAW_PLACE = '"@raw@"'

/** The body of a message of one: unknown fields, texts, numbers, depth and width that a careless worker changes. */
export function hardToEcho(options: InvocationOptions): { id: string; body: string } {
  const invocation = newInvocation(options)
  const { context } = invocation
  const event_data: JsonObject = {
    raw: '@raw@',
    texts: [
      '',
      ' ',
      'naïve café',
      'שלום',
      '日本語',
      '🚦👩‍👩‍👧',
      '\u0000\u001f\u007f\u2028',
      '"\\/\b\f\n\r\t',
      '<&>',
      'e\u0301',
    ],
    empty: [{}, [], null, false, true],
    long: 'x'.repeat(20_000),
    wide: Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`field ${n}`, n])),
    deep: nested(DEPTH),
  }
  const hard = {
    ...invocation,
    unknown_to_workers: { of: 'the invocation' },
    context: {
      ...context,
      unknown_to_workers: [1, { of: 'the context' }],
      event: { ...context.event, event_data, person_key: 'persöñ-1', unknown_to_workers: null },
      results: { earlier: { list: [1, 'two', null] }, nothing: null },
      error: { step_id: 'earlier', code: 'X', message: '', unknown_to_workers: 0.5 },
      chain: { ...context.chain, unknown_to_workers: {} },
    },
  }
  return {
    id: invocation.invocation_id,
    body: JSON.stringify([hard]).replace(RAW_PLACE, () => RAW),
  }
}

function nested(levels: number): JsonObject {
  return levels === 0 ? { bottom: true } : { below: [nested(levels - 2)] }
}
