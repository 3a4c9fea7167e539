import type { Json } from '@signalbox/contracts'
import { describe, expect, test } from 'vitest'
import { compileTemplate } from '../src/index.ts'
import { scopeOf, template } from './scope.ts'

const MANY = Array.from({ length: 60_000 }, (_, index) => index)
const SCOPE = scopeOf({
  list: MANY,
  other: [...MANY],
  text: 'ab'.repeat(100_000),
  short: 'ab'.repeat(1_000),
})

/** `$` stands for `event.event_data.`. */
function evaluate(expression: string): Json {
  return compileTemplate(template(expression.replaceAll('$', 'event.event_data.'))).resolve(SCOPE)
}

const doubled = (seed: string, grown: string) =>
  `cel.bind(a, ${seed}, ${'cel.bind(a, '.repeat(25).replaceAll('a, ', `a, ${grown}, `)}a${')'.repeat(26)}`

describe('an expression over a large event stops at its budget', () => {
  test.each([
    '$list.map(x, $list.map(y, $list.map(z, x * y * z)))',
    '$list.all(x, $other.all(y, x != y || true))',
    '$list.exists(x, x.missing)',
    '$list.filter(x, x in $other)',
    '$list.map(x, $list == $other)',
    '$list.map(x, size($text))',
    '$list.map(x, $text + $text)',
    '$list.map(x, $text.contains("zzz"))',
    '$list.map(x, timestamp(event.timestamp).getHours("Africa/Johannesburg"))',
    '$list.map(x, {"a": x, "b": x, "c": x})',
    '$text.split("").map(x, x)',
    '$text.replace("a", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")',
    '$text.matches("(a|b)*a(a|b){18}[^ab]")',
    doubled('$list', 'a + a'),
    doubled('$text', 'a + a'),
  ])('%s', (expression) => {
    expect(() => evaluate(expression)).toThrow(
      expect.objectContaining({
        code: 'SB_EVALUATION',
        retryable: false,
        message: expect.stringContaining('it takes more than 200000 steps'),
      }),
    )
  })

  test.each([
    ['a list that refers to itself twice over', doubled('["x"]', '[a, a]')],
    ['a long list', '$list'],
    ['a long text', '$text + $text'],
  ])('%s cannot leave as a result', (_what, expression) => {
    expect(() => evaluate(expression)).toThrow('the result is longer than 262144 characters')
  })

  test('the expressions of one config share a budget', () => {
    const config = Array<Json>(100).fill(template('event.event_data.short + "x"'))
    expect(compileTemplate(config).resolve(SCOPE)).toHaveLength(100)
    const larger = Array<Json>(200).fill(template('event.event_data.short + "x"'))
    expect(() => compileTemplate(larger).resolve(SCOPE)).toThrow('longer than 262144 characters')
  })

  test('running out is not an error that || and exists absorb', () => {
    expect(() => evaluate('$list.all(x, $other.all(y, true)) || true')).toThrow('200000 steps')
    expect(() => evaluate('[1].exists(x, $list.all(y, $other.all(z, true)) || true)')).toThrow(
      '200000 steps',
    )
  })

  test('what is ordinary stays far below: a filter over 10,000 elements', () => {
    const scope = scopeOf({ list: MANY.slice(0, 10_000) })
    const compiled = compileTemplate(template('size(event.event_data.list.filter(x, x % 2 == 0))'))
    expect(compiled.resolve(scope)).toBe(5_000)
  })

  test('a pattern that backtracking engines need exponential time for is answered', () => {
    expect(evaluate('$short.matches("^(([ab])+.)+[A-Z]([a-z])+$")')).toBe(false)
  })

  test('a value nested 100,000 deep is refused and not a crash', () => {
    const nested = () => JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as Json
    const scope = scopeOf({ a: nested(), b: nested() })
    for (const expression of ['event.event_data.a', 'event.event_data.a == event.event_data.b']) {
      expect(() => compileTemplate(template(expression)).resolve(scope)).toThrow(
        'the value is nested too deeply',
      )
    }
  })
})
