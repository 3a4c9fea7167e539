/** A listener on one line, for people; read with care for what a later version may add. */
import { z } from 'zod'

const callbackSchema = z.looseObject({
  type: z.string(),
  url: z.string().optional(),
  exchange: z.string().optional(),
  routing_key: z.string().optional(),
})

export const listenerSchema = z.looseObject({
  listener_id: z.string(),
  name: z.string(),
  state: z.string(),
  disabled_reason: z.string().optional(),
  event_types: z.array(z.string()).optional(),
  events: z.array(z.string()).optional(),
  conversation_key: z.string().optional(),
  workbook_name: z.string().optional(),
  conversation_type: z.string().optional(),
  when: z.string().optional(),
  callback: callbackSchema,
})

export type ShownListener = z.infer<typeof listenerSchema>

const ANY = '*'

export function listenerLine(listener: ShownListener): string {
  const { listener_id, state, disabled_reason, event_types = [], events = [], when } = listener
  const names = [...event_types, ...events]
  return [
    listener_id,
    disabled_reason === undefined ? state : `${state} (${disabled_reason})`,
    names.length === 0 ? ANY : names.join(','),
    listener.conversation_key ?? listener.workbook_name ?? ANY,
    targetOf(listener.callback),
    ...(when === undefined ? [] : [`when ${when}`]),
  ].join('  ')
}

function targetOf({ type, url, exchange, routing_key }: z.infer<typeof callbackSchema>): string {
  if (exchange === undefined) return url ?? type
  const where = `${type}:${exchange}${routing_key === undefined ? '' : `/${routing_key}`}`
  return url === undefined ? where : `${where} at ${url}`
}
