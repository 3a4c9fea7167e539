import { readFileSync } from 'node:fs'
import { FLOW_STATES, LIMITS, SOCKET_SUBPROTOCOL, STEP_STATES } from '@signalbox/contracts'
import { ERROR_CODES } from '@signalbox/kit'
import { expect, it } from 'vitest'
import { CLOSE_CODES } from '../src/close-codes.ts'
import * as limits from '../src/limits.ts'
import { ANSWER_CODES } from '../src/protocol.ts'
import { REFUSAL_CODES } from '../src/refusal.ts'

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

it('the page has every code of a refusal with its status, and no other', () => {
  const documented = rowsOf('Refusals').map(([status, code]) => [code, Number(status)])
  expect(documented.sort()).toEqual(REFUSAL_CODES.map((code) => [code, ERROR_CODES[code]]).sort())
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
  const inWords = (count: number) => count.toLocaleString('en')
  const set = (value: string | number, name: string) => `${value} (SIGNALBOX_EDGE_${name})`
  expect(rowsOf('Limits').map(([what, limit]) => [what, limit])).toEqual([
    ['a frame from the client', `${LIMITS.maxSocketFrameBytes / 1024} KiB`],
    ['pieces of one message', String(limits.MAX_FRAGMENTS)],
    ['subscriptions of one socket', set(limits.DEFAULT_MAX_SUBSCRIPTIONS, 'MAX_SUBSCRIPTIONS')],
    [
      'frames from one client',
      set(`${limits.DEFAULT_FRAMES_PER_SECOND} per second`, 'FRAMES_PER_SECOND'),
    ],
    ['unanswered requests', String(limits.MAX_WAITING_REQUESTS)],
    [
      'bytes waiting for the client',
      set(`${limits.DEFAULT_MAX_BUFFERED_BYTES / 1024 ** 2} MiB`, 'MAX_BUFFERED_BYTES'),
    ],
    ['sockets of one edge', set(inWords(limits.DEFAULT_MAX_CONNECTIONS), 'MAX_CONNECTIONS')],
    [
      'of them, of one address',
      set(inWords(limits.DEFAULT_MAX_PER_ADDRESS), 'MAX_CONNECTIONS_PER_ADDRESS'),
    ],
    [
      'of them, of one account',
      set(inWords(limits.DEFAULT_MAX_PER_ACCOUNT), 'MAX_CONNECTIONS_PER_ACCOUNT'),
    ],
    ['of them, of one person', set(limits.DEFAULT_MAX_PER_PERSON, 'MAX_CONNECTIONS_PER_PERSON')],
    [
      'new sockets of one edge',
      set(`${limits.DEFAULT_ACCEPTS_PER_SECOND} per second`, 'ACCEPTS_PER_SECOND'),
    ],
    [
      'a socket that asks for nothing',
      set(`${limits.DEFAULT_MAX_IDLE_MS / 1_000} s`, 'IDLE_SECONDS'),
    ],
    ['silence', `the edge pings every ${limits.PING_INTERVAL_MS / 1_000} s`],
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
