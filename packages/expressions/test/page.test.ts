/** Holds the examples of docs/expressions.md to the code. */
import { readFileSync } from 'node:fs'
import type { Json } from '@signalbox/contracts'
import { describe, expect, test } from 'vitest'
import { MAX_RESOLVED_CHARS, MAX_STEPS } from '../src/budget.ts'
import { FUNCTIONS, METHODS } from '../src/functions.ts'
import { compileTemplate, type Scope } from '../src/index.ts'
import { template } from './scope.ts'

const PAGE = readFileSync(new URL('../../../docs/expressions.md', import.meta.url), 'utf8')
const scope = JSON.parse(block('json')) as Scope

function block(language: string): string {
  return new RegExp(`^\`\`\`${language}\n([^]*?)\n\`\`\``, 'm').exec(PAGE)?.[1] ?? ''
}

function examples(language: string): [string, Json][] {
  return block(language)
    .split('\n')
    .map((line) => {
      const [source, result] = line.split(' // => ')
      return [source!, JSON.parse(result!) as Json]
    })
}

test('the page has fifteen examples', () => {
  expect(examples('cel').length + examples('template').length).toBe(15)
})

describe('the examples of the page give what it says', () => {
  test.each(examples('cel'))('%s', (source, expected) => {
    expect(compileTemplate(template(source)).resolve(scope)).toEqual(expected)
  })
  test.each(examples('template'))('%s', (source, expected) => {
    expect(compileTemplate(JSON.parse(source) as Json).resolve(scope)).toEqual(expected)
  })
})

test('the page names every function there is', () => {
  for (const signature of [...Object.keys(FUNCTIONS), ...Object.keys(METHODS)]) {
    expect(PAGE).toMatch(new RegExp(`\\b${signature.split('/')[0]}\\b`))
  }
})

test('the page gives the limits that hold', () => {
  expect(PAGE).toContain(`${MAX_STEPS.toLocaleString('en-US')} steps`)
  expect(PAGE).toContain(`${MAX_RESOLVED_CHARS.toLocaleString('en-US')} characters as JSON`)
})

test('the error that the page shows is the error that occurs', () => {
  expect(() => compileTemplate(template('event.event_data.scor >= 5')).resolve(scope)).toThrow(
    block('text'),
  )
})
