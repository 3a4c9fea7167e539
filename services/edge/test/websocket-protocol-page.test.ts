import { readFileSync } from 'node:fs'
import { FLOW_STATES, LIMITS, SOCKET_SUBPROTOCOL, STEP_STATES } from '@signalbox/contracts'
import { ERROR_CODES } from '@signalbox/kit'
import { expect, it } from 'vitest'
import { CLOSE_CODES } from '../src/close-codes.ts'
import {
  DEFAULT_MAX_BUFFERED_BYTES,
  DEFAULT_MAX_CONNECTIONS,
  DEFAULT_MAX_SUBSCRIPTIONS,
  MAX_WAITING_REQUESTS,
  PING_INTERVAL_MS,
} from '../src/limits.ts'
import { ANSWER_CODES } from '../src/protocol.ts'

const page = readFileSync(new URL('../../../docs/websocket-protocol.md', import.meta.url), 'utf8')

/** The rows of the only table of a section, their cells without padding and backticks. */
function rowsOf(section: string): string[][] {
  const text = page.split(`\n## ${section}\n`)[1]?.split('\n## ')[0] ?? ''
  const lines = text.split('\n').filter((line) => line.startsWith('|'))
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  )
}

it('the page has every error code of an answer with its status, and no other', () => {
  const documented = rowsOf('Errors').map(([code, status]) => [code, Number(status)])
  expect(documented.sort()).toEqual(ANSWER_CODES.map((code) => [code, ERROR_CODES[code]]).sort())
})

it('the page has every close code with its reason, and no other', () => {
  const documented = rowsOf('How the edge closes').map(([code, reason]) => [Number(code), reason])
  expect(documented.sort()).toEqual(
    Object.values(CLOSE_CODES)
      .map(({ code, reason }) => [code, reason])
      .sort(),
  )
})

it('the page has the limits that hold', () => {
  expect(rowsOf('Limits').map(([what, limit]) => [what, limit])).toEqual([
    ['a frame from the client', `${LIMITS.maxSocketFrameBytes / 1024} KiB`],
    [
      'subscriptions of one socket',
      `${DEFAULT_MAX_SUBSCRIPTIONS} (SIGNALBOX_EDGE_MAX_SUBSCRIPTIONS)`,
    ],
    ['unanswered requests', String(MAX_WAITING_REQUESTS)],
    ['bytes waiting for the client', `${DEFAULT_MAX_BUFFERED_BYTES / 1024 ** 2} MiB`],
    [
      'sockets of one edge',
      `${DEFAULT_MAX_CONNECTIONS.toLocaleString('en')} (SIGNALBOX_EDGE_MAX_CONNECTIONS)`,
    ],
    ['silence', `the edge pings every ${PING_INTERVAL_MS / 1_000} s`],
  ])
})

it('the page names the subprotocol and every state', () => {
  expect(page).toContain(`Subprotocol \`${SOCKET_SUBPROTOCOL}\``)
  const unwrapped = page.replaceAll(/\n +/g, ' ')
  expect(unwrapped).toContain(
    `Flow states: ${FLOW_STATES.map((state) => `\`${state}\``).join(', ')}.`,
  )
  expect(unwrapped).toContain(
    `Step states: ${STEP_STATES.map((state) => `\`${state}\``).join(', ')}.`,
  )
})
