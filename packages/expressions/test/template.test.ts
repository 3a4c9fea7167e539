import type { Json } from '@signalbox/contracts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileTemplate } from '../src/index.ts'
import { partsOf } from '../src/template-text.ts'
import { scopeOf, template } from './scope.ts'

const OPEN = '${'.concat('{')
const SCOPE = scopeOf({ name: 'Thandi', score: 7, tags: ['vip'], map: { a: 1 }, nothing: null })

describe('resolving a template', () => {
  test.each<[string, Json]>([
    [`${OPEN} event.event_data.score }}`, 7],
    [`${OPEN}event.event_data.score}}`, 7],
    [`${OPEN} event.event_data.tags }}`, ['vip']],
    [`${OPEN} event.event_data.nothing }}`, null],
    [`${OPEN} timestamp("2026-01-31T09:30:00Z") }}`, '2026-01-31T09:30:00.000Z'],
    [` ${OPEN} event.event_data.score }}`, ' 7'],
    [`Hi ${OPEN} event.event_data.name }}!`, 'Hi Thandi!'],
    [`${OPEN} 1 }}${OPEN} true }}${OPEN} 2.5 }}`, '1true2.5'],
    [`[${OPEN} event.event_data.nothing }}]`, '[]'],
    [`: ${OPEN} event.event_data.tags }} ${OPEN} event.event_data.map }}`, ': ["vip"] {"a":1}'],
    [`${OPEN} {"a": {"b": 1}}.a.b }}`, 1],
    [`${OPEN} {"a": {"b": 1}} }}`, { a: { b: 1 } }],
    [`${OPEN}{"a":{"b":1}}}}`, { a: { b: 1 } }],
    [`${OPEN} "}}" }}`, '}}'],
    [`${OPEN} "a\\"}}" + '}}' + """ "}} """ }}`, 'a"}}}} "}} '],
    [`${OPEN} 1 // }} not yet\n + 1 }}`, 2],
    [`$${OPEN} name }}`, `${OPEN} name }}`],
    [`$${OPEN} $${OPEN} ${OPEN} 1 }}`, `${OPEN} ${OPEN} 1`],
    ['no } expression } here $ { {', 'no } expression } here $ { {'],
    [`}} ${OPEN} 1 }} }}`, '}} 1 }}'],
    [template('{"__proto__": {"polluted": true}}'), JSON.parse('{"__proto__":{"polluted":true}}')],
  ])('%j becomes %j', (text, expected) => {
    expect(compileTemplate(text).resolve(SCOPE)).toEqual(expected)
  })

  test('goes through lists and objects, and leaves keys and other values alone', () => {
    const config = {
      [OPEN]: 1,
      to: template('event.event_data.name'),
      nested: {
        list: [template('event.event_data.score'), 2, null, { deep: `x${template('1')}` }],
      },
      flag: true,
    }
    expect(compileTemplate(config).resolve(SCOPE)).toEqual({
      [OPEN]: 1,
      to: 'Thandi',
      nested: { list: [7, 2, null, { deep: 'x1' }] },
      flag: true,
    })
  })

  test('without expressions it is the value itself', () => {
    const text = fc.string().filter((candidate) => !candidate.includes(OPEN))
    const json = fc
      .jsonValue({ maxDepth: 5 })
      .filter((value) => !JSON.stringify(value).includes(OPEN))
    fc.assert(
      fc.property(fc.oneof(text, json), (value) => {
        const given = value as Json
        const compiled = compileTemplate(given)
        expect(compiled.references).toEqual([])
        expect(compiled.resolve(SCOPE)).toBe(given)
      }),
    )
  })

  test('a text from outside is data: what it says in template syntax is not evaluated', () => {
    const scope = scopeOf({ name: template('event.account_key') })
    expect(compileTemplate(`Hi ${template('event.event_data.name')}`).resolve(scope)).toBe(
      `Hi ${template('event.account_key')}`,
    )
  })

  test('an error names the field, the expression and the place', () => {
    const compiled = compileTemplate({ nested: { list: [1, 2, `x ${template('event.nam')}`] } })
    expect(() => compiled.resolve(SCOPE)).toThrow(
      expect.objectContaining({
        code: 'SB_EVALUATION',
        message: expect.stringMatching(/^nested\.list\[2\]: .*at character 7 of: event\.nam$/),
        details: [{ path: 'nested.list[2]', message: expect.stringContaining('no field "nam"') }],
      }),
    )
  })
})

describe('compiling a template', () => {
  test.each<[Json, string, string]>([
    [{ body: `a ${OPEN} event.x` }, 'body', `"${OPEN}" is not closed by "}}"; at character 3`],
    [{ body: `${OPEN} "}} ` }, 'body', 'is not closed'],
    [{ body: `${OPEN} 1 // }}` }, 'body', 'is not closed'],
    [
      { nested: { list: ['', '', template('evnt.x')] } },
      'nested.list[2]',
      'unknown variable: evnt',
    ],
    [template(''), '', 'it is empty'],
    [template('1 +'), '', 'unexpected token'],
    [`${OPEN} } }}`, '', 'unexpected token'],
  ])('refuses %j at %j: %s', (value, path, reason) => {
    expect(() => compileTemplate(value)).toThrow(
      expect.objectContaining({
        code: 'SB_INVALID_EXPRESSION',
        details: [{ path, message: expect.stringContaining(reason) }],
      }),
    )
  })

  test('refuses a config that is nested too deeply or holds too many values, and does not overflow', () => {
    let deep: Json = 'x'
    for (let level = 0; level < 100_000; level += 1) deep = [deep]
    expect(() => compileTemplate(deep)).toThrow('nested deeper than 32 levels')
    expect(() => compileTemplate(Array<Json>(20_000).fill(1))).toThrow('more than 10000 values')
  })

  test('any text compiles or is refused', () => {
    const pieces = fc.constantFrom(
      OPEN,
      '$',
      '{',
      '}}',
      '}',
      '"',
      "'",
      '\\',
      '//',
      '\n',
      '1',
      'event',
      ' ',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 20 }), (texts) => {
        try {
          compileTemplate(texts.join(''))
        } catch (error) {
          expect(error).toMatchObject({ code: 'SB_INVALID_EXPRESSION' })
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('collects the references of all its expressions', () => {
    const config = {
      a: `${template('results.contact.id')} ${template('event.x')}`,
      b: [template('results.contact.id')],
    }
    expect(compileTemplate(config).references).toEqual([
      ['results', 'contact', 'id'],
      ['event', 'x'],
    ])
  })
})

test('literals put together from the parts of a text give the text back', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', '$', `$${OPEN}`, '}}')), (texts) => {
      const text = texts.join('')
      fc.pre(!text.replaceAll(`$${OPEN}`, '').includes(OPEN))
      const literals = partsOf(text).map((part) => ('literal' in part ? part.literal : undefined))
      expect(literals.join('')).toBe(text.replaceAll(`$${OPEN}`, OPEN))
    }),
  )
})
