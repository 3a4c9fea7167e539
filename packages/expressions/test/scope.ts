import type { Json } from '@signalbox/contracts'
import type { Scope } from '../src/index.ts'

/** A scope whose event carries `data`. */
export function scopeOf(data: Record<string, Json>, rest: Partial<Scope> = {}): Scope {
  return {
    event: {
      event_id: 'e1',
      account_key: 'acme',
      conversation_key: 'spring-poll',
      conversation_type: 'poll',
      event_type: 'poll_complete',
      timestamp: '2026-01-31T21:30:00.000Z',
      event_data: data,
    },
    ...rest,
  }
}

/** An expression as the text of a template. */
export function template(expression: string): string {
  return `\${{ ${expression} }}`
}
