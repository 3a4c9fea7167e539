import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileCondition } from '../src/index.ts'
import { scopeOf } from './scope.ts'

function refusalOf(text: string): { code: string; message: string; details: unknown } {
  try {
    compileCondition(text)
  } catch (error) {
    return error as ReturnType<typeof refusalOf>
  }
  throw new Error(`${text} was not refused`)
}

describe('compiling a condition', () => {
  test.each([
    [
      'evnt.score > 5',
      'unknown variable: evnt; available are event, results, error; at character 1',
    ],
    ['event.score >', 'unexpected token: EOF; at character 14'],
    ['event.score > > 5', 'at character 15'],
    ['', 'it is empty'],
    ['   ', 'it is empty'],
    ['size(event)', 'a condition must be true or false, and it is of type int'],
    ['"a" + 1 == "a1"', 'no such overload: string + int'],
    ['event + 1 == 2', 'no such overload'],
    ['event.name.foo()', "found no matching overload for 'dyn.foo()'"],
    ['fetch("http://example.org")', 'found no matching overload'],
    ['size(event, 2) == 1', 'found no matching overload'],
    ['uint(3) == 3u', 'there is no function uint()'],
    ['event.n == 3u', 'unsigned ints are not available'],
    ['event.n == b"x"', 'bytes are not available'],
    ['event.?n == 1', 'got QUESTION'],
    ['event.name.matches("(")', 'the pattern is not valid'],
    ['event.name.matches(event.pattern)', 'the pattern of matches() must be a literal'],
    ['event.name.matches("(a{1,100}){1,10}")', 'the pattern repeats too much'],
    ['google.protobuf.Timestamp == type(event)', 'unknown variable: google'],
    ['event.list.map(event.x, true)[0]', 'invalid predicate iteration variable'],
    ['has(event)', 'has() invalid argument'],
    ['[].all(x, x > 1)', 'overlaps with'],
    ['true ? 1 : "a"', 'ternary branches must have the same type'],
    [`event.x == "${'a'.repeat(5000)}"`, 'it has 5013 characters; at most 4096 are allowed'],
    [`${'('.repeat(500)}true${')'.repeat(500)}`, 'exceeded maxDepth (64)'],
    [`true${' && true'.repeat(500)}`, 'exceeded maxAstNodes (1000)'],
  ])('refuses %j: %s', (text, reason) => {
    const error = refusalOf(text)
    expect(error.code).toBe('SB_INVALID_EXPRESSION')
    expect(error.message).toContain(reason)
    expect(error.message.length).toBeLessThan(500)
    expect(error.details).toEqual([{ path: '', message: error.message }])
  })

  test('a text that is any mixture of tokens compiles or is refused, and never anything else', () => {
    const token = fc.constantFrom(
      ...'event results error . [ ] ( ) { } , : ? ! - + * / % == < in && || 1 2.5 "a" \' r" true null has size map all x cel.bind matches \\ $ // é 😀 \n'.split(
        ' ',
      ),
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.array(token, { maxLength: 30 }).map((tokens) => tokens.join(' ')),
      fc.array(token, { maxLength: 30 }).map((tokens) => tokens.join('')),
    )
    fc.assert(
      fc.property(text, (candidate) => {
        let condition: ReturnType<typeof compileCondition>
        try {
          condition = compileCondition(candidate)
        } catch (error) {
          expect(error).toMatchObject({ code: 'SB_INVALID_EXPRESSION' })
          return
        }
        try {
          expect(condition.evaluate(scopeOf({}))).toBeTypeOf('boolean')
        } catch (error) {
          expect(error).toMatchObject({ code: 'SB_EVALUATION' })
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('evaluating a condition', () => {
  test('what is not a bool is an error that says what it is, because a chain must not depend on truthiness', () => {
    expect(() =>
      compileCondition('event.event_data.name').evaluate(scopeOf({ name: 'x' })),
    ).toThrow('a condition must be true or false, and it is a string; in: event.event_data.name')
  })

  test('a missing field is an error with its place, not false', () => {
    const condition = compileCondition('event.event_data.scor >= 5')
    expect(() => condition.evaluate(scopeOf({ score: 7 }))).toThrow(
      'cannot be evaluated: event.event_data has no field "scor"; has() asks whether it is there; at character 18 of: event.event_data.scor >= 5',
    )
  })

  test('error is what the last failed step left', () => {
    const error = { step_id: 'sms', code: 'GATEWAY_DOWN', message: 'no answer' }
    const condition = compileCondition('error != null && error.step_id == "sms"')
    expect(condition.evaluate(scopeOf({}, { error }))).toBe(true)
    expect(condition.evaluate(scopeOf({}))).toBe(false)
  })

  test('evaluating leaves the event as it was', () => {
    const scope = scopeOf({ list: [3, 1, 2], map: { a: 1 } })
    const before = structuredClone(scope)
    compileCondition(
      '(event.event_data.list + [4]).map(x, x * 2).size() == 4 && cel.bind(m, event.event_data.map, m.a == 1)',
    ).evaluate(scope)
    expect(scope).toEqual(before)
  })
})

describe('references', () => {
  test.each<[string, string[][]]>([
    ['has(results.contact.msisdn)', [['results', 'contact', 'msisdn']]],
    [
      'event.a == event["b"].c && event.a != 1',
      [
        ['event', 'a'],
        ['event', 'b', 'c'],
      ],
    ],
    ['results[event.which].x', [['results'], ['event', 'which']]],
    [
      'event.list.exists(event, event.x == results.y)',
      [
        ['event', 'list'],
        ['results', 'y'],
      ],
    ],
    [
      'cel.bind(results, event.a, results.b == error.code)',
      [
        ['event', 'a'],
        ['error', 'code'],
      ],
    ],
    [
      '{"k": results.a}["k"] in [event.b ? event.c : event.d, -event.e]',
      [
        ['results', 'a'],
        ['event', 'b'],
        ['event', 'c'],
        ['event', 'd'],
        ['event', 'e'],
      ],
    ],
    ['1 == 1', []],
  ])('%s reads %j', (text, expected) => {
    expect(compileCondition(text).references).toEqual(expected)
  })
})
