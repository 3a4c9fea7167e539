/** Where two values of JSON differ, for the author of a worker to find it. */
import type { Json } from '@signalbox/contracts'

const MAX_SHOWN_CHARS = 80

/** The first difference in words, with its path below `at`; undefined: they are the same. Numbers are the same when they are equal as doubles. */
export function differenceOf(sent: Json, got: Json | undefined, at: string): string | undefined {
  if (sent === got) return undefined
  if (!isContainer(sent) || !isContainer(got) || Array.isArray(sent) !== Array.isArray(got)) {
    return `${at}: ${shown(sent)} came back as ${shown(got)}`
  }
  for (const [key, value] of Object.entries(sent)) {
    const path = `${at}${Array.isArray(sent) ? `[${key}]` : `.${key}`}`
    if (!Object.hasOwn(got, key)) return `${path} did not come back`
    const difference = differenceOf(value, (got as Record<string, Json>)[key], path)
    if (difference !== undefined) return difference
  }
  const added = Object.keys(got).find((key) => !Object.hasOwn(sent, key))
  return added === undefined ? undefined : `${at}.${added} was not sent`
}

function isContainer(value: Json | undefined): value is Json[] | { [key: string]: Json } {
  return typeof value === 'object' && value !== null
}

function shown(value: Json | undefined): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text
}
