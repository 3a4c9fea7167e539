import type { Json } from '@signalbox/contracts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileCondition, compileTemplate } from '../src/index.ts'
import { scopeOf, template } from './scope.ts'

const SCOPE = scopeOf(
  {
    score: 7,
    f: 2.5,
    name: 'Thandi',
    list: [1, 2, 3],
    tags: ['a', 'b'],
    nothing: null,
    empty: [],
    yes: true,
    map: { a: 1, b: [2] },
    emoji: 'a😀b',
  },
  { results: { contact: { msisdn: '+27' } } },
)

function resultOf(expression: string): Json {
  return compileTemplate(template(expression.replaceAll('$', 'event.event_data.'))).resolve(SCOPE)
}

describe('values, as CEL and people expect them ($ stands for event.event_data.)', () => {
  test.each<[string, Json]>([
    // Literals.
    ['42', 42],
    ['0xFF', 255],
    ['-3', -3],
    ['1.5e3', 1500],
    ['"a\\n\\u00e9"', 'a\né'],
    ['r"a\\n"', 'a\\n'],
    ['"""a "quoted" b"""', 'a "quoted" b'],
    ['[1, 2.5, "a", null, true]', [1, 2.5, 'a', null, true]],
    ['{"a": 1, "b": {"c": []}}', { a: 1, b: { c: [] } }],
    // Ints.
    ['7 / 2', 3],
    ['-7 / 2', -3],
    ['7 % 2', 1],
    ['-7 % 2', -1],
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    // Doubles, and ints beside JSON's numbers.
    ['7.0 / 2.0', 3.5],
    ['$score + 1', 8],
    ['1 + $score', 8],
    ['$score / 2', 3.5],
    ['$score % 2', 1],
    ['$f % 2', 0.5],
    ['$f * 2', 5],
    ['-$score', -7],
    ['size($list) + $score', 10],
    ['$list[$score - 5]', 3],
    ['$list[0] + $list[1]', 3],
    ['1 + 2.5', 3.5],
    ['int($f)', 2],
    ['int(-2.5)', -2],
    ['int("77")', 77],
    ['double("1.5")', 1.5],
    ['int($score) / 2', 3],
    // Equality and order.
    ['$score == 7', true],
    ['$score == 7.0', true],
    ['7 == 7.0', true],
    ['$score != 8', true],
    ['$score < 7.5', true],
    ['7 <= $score', true],
    ['"a" < "b"', true],
    ['false < true', true],
    ['$list == [1, 2, 3]', true],
    ['$map == {"b": [2.0], "a": 1}', true],
    ['$map == {"a": 1}', false],
    ['$nothing == null', true],
    ['$score == "7"', false],
    ['$yes == true', true],
    // Membership.
    ['2 in $list', true],
    ['$score in [6, 7]', true],
    ['9 in $list', false],
    ['"a" in $map', true],
    ['"constructor" in $map', false],
    // Logic; an error counts only when the other side does not decide.
    ['$yes && $score > 5', true],
    ['$missing == 1 || $yes', true],
    ['$yes || $missing == 1', true],
    ['false && $missing == 1', false],
    ['$missing == 1 && false', false],
    ['!$yes', false],
    ['$yes ? "a" : "b"', 'a'],
    // Strings.
    ['"a" + "b"', 'ab'],
    ['string(5)', '5'],
    ['string($score)', '7'],
    ['string(2.5)', '2.5'],
    ['string(true)', 'true'],
    ['size($emoji)', 3],
    ['$emoji.indexOf("b")', 2],
    ['$emoji.substring(1, 2)', '😀'],
    ['"abcabc".lastIndexOf("b")', 4],
    ['"abc".indexOf("x")', -1],
    ['"a,b".split(",")', ['a', 'b']],
    ['$tags.join("-")', 'a-b'],
    ['$tags.map(t, t + "!").join()', 'a!b!'],
    ['"a-b-c".replace("-", "$&")', 'aevent.event_data.&bevent.event_data.&c'],
    ['" x ".trim() + "ÄB".lowerAscii() + "é".upperAscii()', 'xÄbé'],
    ['$name.contains("and") && $name.startsWith("T") && $name.endsWith("i")', true],
    ['"+27820000001".matches("^\\\\+27[0-9]{9}$")', false],
    ['"abc".matches("b")', true],
    ['bool("true")', true],
    // Macros.
    ['$list.map(x, x * 2)', [2, 4, 6]],
    ['$list.map(x, x > 1, x * 2)', [4, 6]],
    ['$list.filter(x, x % 2 == 1)', [1, 3]],
    ['$list.all(x, x > 0)', true],
    ['$list.exists(x, x == 3)', true],
    ['$list.exists_one(x, x > 1)', false],
    ['$empty.all(x, x > 1)', true],
    ['$empty.exists(x, x > 1)', false],
    ['$map.map(key, key)', ['a', 'b']],
    [
      '[1, 2].map(x, [10, 20].map(y, x + y))',
      [
        [11, 21],
        [12, 22],
      ],
    ],
    ['["a", 1].exists(x, x == 1)', true],
    ['cel.bind(total, $score + 1, total * total)', 64],
    // Presence.
    ['has($name)', true],
    ['has($nothing)', true],
    ['has($missing)', false],
    ['has($missing.deeper.still)', false],
    ['has($name.deeper)', false],
    ['has(results.contact.msisdn)', true],
    ['has(results.skipped.msisdn)', false],
    ['has(error.code)', false],
    ['has(event.constructor)', false],
    ['error', null],
    // Time.
    ['timestamp("2026-01-31T23:30:00Z").getDate()', 31],
    ['timestamp("2026-01-31T23:30:00Z").getDate("Africa/Johannesburg")', 1],
    ['timestamp("2026-01-31T23:30:00+02:00").getHours()', 21],
    ['timestamp("2026-02-01T00:00:00Z").getMonth()', 1],
    ['timestamp("2026-02-01T00:00:00Z").getDayOfYear()', 31],
    ['timestamp("2026-02-01T00:00:00Z").getDayOfMonth()', 0],
    ['timestamp("2026-02-01T00:00:00Z").getDayOfWeek()', 0],
    ['timestamp("2026-02-01T01:00:00Z") - timestamp("2026-02-01T00:00:00Z")', '3600s'],
    ['timestamp("2026-02-01T01:00:00Z") - duration("1h30m")', '2026-01-31T23:30:00.000Z'],
    ['timestamp(event.timestamp) > timestamp("2026-01-01T00:00:00Z")', true],
    ['duration("90m").getHours()', 1],
    ['duration("-1.5s")', '-1.5s'],
    ['timestamp(0)', '1970-01-01T00:00:00.000Z'],
    // Types.
    ['type(1)', 'int'],
    ['type($score) == double', true],
    ['type($list) == list && type($map) == map && type("") == string', true],
  ])('%s is %j', (expression, expected) => {
    expect(resultOf(expression)).toEqual(expected)
  })
})

describe('what is not defined says so', () => {
  test.each([
    ['$name + 1', 'a string + an int is not defined; string() makes a text of a value'],
    ['$list < 1', 'a list < an int is not defined'],
    ['$score / 0', 'division by zero'],
    ['1 % 0', 'division by zero'],
    ['9223372036854775807 + 1', 'the int is beyond 64 bits'],
    ['9007199254740993', '9007199254740993 is beyond what a JSON number holds exactly'],
    ['$list[3]', 'event.event_data.list has 3 items and none at index 3'],
    ['$list[-1]', 'none at index -1'],
    ['$list[0.5]', 'an index must be a whole number'],
    ['$list["a"]', 'an index must be a whole number, not a string'],
    ['$missing', 'event.event_data has no field "missing"; has() asks whether it is there'],
    ['$nothing.x', 'event.event_data.nothing is null and has no field "x"'],
    ['event.toString', 'event has no field "toString"'],
    ['event["__proto__"]', 'event has no field "__proto__"'],
    ['results.sms.id', 'results has no field "sms"'],
    ['error.code', 'error is null and has no field "code"'],
    ['$name.size() > 2 && $name', '"&&" needs a bool, not a string'],
    ['$score.startsWith("a")', 'startsWith() needs a string, not a double'],
    ['$list.join(",")', 'join() needs a list of strings, not one with a double'],
    ['$name.map(x, x)', 'map() needs a list or a map, not a string'],
    ['$list.all(x, x)', 'all() needs a bool, not a double'],
    ['int("seven")', 'int() cannot take this string'],
    ['timestamp("yesterday")', 'timestamp() needs an RFC 3339 text'],
    ['duration("soon")', 'duration() needs a text such as "1h30m"'],
    ['timestamp(event.timestamp).getHours("Nowhere/Land")', 'there is no time zone of that name'],
    ['"abc".substring(2, 9)', 'outside the 3 characters'],
    ['{1: 2}', 'the keys of a map must be strings, not an int'],
    ['-$name', 'a string cannot be negated'],
  ])('%s: %s', (expression, reason) => {
    expect(() => resultOf(expression)).toThrow(
      expect.objectContaining({
        code: 'SB_EVALUATION',
        retryable: false,
        message: expect.stringContaining(reason),
      }),
    )
  })
})

const safeInt = fc.integer({ min: -(2 ** 26), max: 2 ** 26 })

describe('arithmetic on the numbers of an event', () => {
  test.each<[string, (a: number, b: number) => number]>([
    ['+', (a, b) => a + b],
    ['-', (a, b) => a - b],
    ['*', (a, b) => a * b],
    ['/', (a, b) => a / b],
    ['%', (a, b) => a % b],
  ])('%s agrees with JavaScript, whichever side is a literal', (sign, expected) => {
    const isDivision = sign === '/' || sign === '%'
    fc.assert(
      fc.property(safeInt, safeInt, (a, b) => {
        fc.pre(!(isDivision && b === 0))
        const scope = scopeOf({ a, b })
        for (const expression of [
          `event.event_data.a ${sign} event.event_data.b`,
          `event.event_data.a ${sign} (${b})`,
          `(${a}) ${sign} event.event_data.b`,
        ]) {
          const value = compileTemplate(template(expression)).resolve(scope)
          expect(Math.abs(Number(value) - expected(a, b))).toBe(0)
        }
      }),
    )
  })

  test('orders exactly as JavaScript does', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), safeInt, (a, b) => {
        const scope = scopeOf({ a })
        for (const [sign, expected] of [
          ['<', a < b],
          ['<=', a <= b],
          ['>', a > b],
          ['>=', a >= b],
          ['==', a === b],
          ['!=', a !== b],
        ] as const) {
          const condition = compileCondition(`event.event_data.a ${sign} (${b})`)
          expect(condition.evaluate(scope)).toBe(expected)
        }
      }),
    )
  })

  test('a value equals itself, however deep, and what JSON makes of it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (generated) => {
        const value = JSON.parse(JSON.stringify(generated)) as Json
        const scope = scopeOf({ a: value, b: structuredClone(value) })
        expect(compileCondition('event.event_data.a == event.event_data.b').evaluate(scope)).toBe(
          true,
        )
        const copied = compileTemplate(template('event.event_data.a')).resolve(scope)
        expect(JSON.stringify(copied)).toBe(JSON.stringify(value))
      }),
    )
  })
})
