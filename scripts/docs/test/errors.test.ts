/** Holds docs/errors.md to the list of codes, and the list to what the sources use. */
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { ERROR_CODES, type ErrorCode } from '../../../packages/kit/src/index.ts'
import { ANSWER_CODES } from '../../../services/edge/src/protocol.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

interface Row {
  code: string
  http: string
  socket: string
  deadLetter: string
}

const rows: Row[] = readFileSync(`${ROOT}docs/errors.md`, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `SB_'))
  .map((line) => {
    const [, code, http, socket, deadLetter] = line.split('|').map((cell) => cell.trim())
    return { code: code!.slice(1, -1), http: http!, socket: socket!, deadLetter: deadLetter! }
  })

const isCode = (code: string): code is ErrorCode => code in ERROR_CODES

test('the page lists exactly the codes there are, each once', () => {
  expect(rows.map((row) => row.code).toSorted()).toEqual(Object.keys(ERROR_CODES).toSorted())
})

describe('each row of the page', () => {
  test.each(rows)('$code has the statuses that it is answered with', ({ code, http, socket }) => {
    const status = isCode(code) ? String(ERROR_CODES[code]) : 'none'
    expect(['', status]).toContain(http)
    expect(socket).toBe(isCode(code) && ANSWER_CODES.includes(code) ? status : '')
  })

  test.each(rows)('$code shows somewhere: in an answer, a dead letter or at the start', (row) => {
    expect(row.http + row.socket + row.deadLetter !== '' || row.code === 'SB_CONFIG').toBe(true)
  })
})

test('the sources use no code that is not in the list, and the list has none that they do not use', () => {
  const sources = globSync('{packages,services}/*/src/**/*.ts', { cwd: ROOT })
  expect(sources.length).toBeGreaterThan(50)
  const used = sources
    .filter((path) => !path.endsWith('kit/src/errors.ts'))
    .flatMap((path) => readFileSync(`${ROOT}${path}`, 'utf8').match(/\bSB_[A-Z_]+\b/g) ?? [])
  const thrownByClass = ['SB_CONFLICT', 'SB_CONFIG', 'SB_UNAVAILABLE', 'SB_NOT_FOUND']
  expect([...new Set([...used, ...thrownByClass])].toSorted()).toEqual(
    Object.keys(ERROR_CODES).toSorted(),
  )
})
