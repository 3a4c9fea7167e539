import { expect, test } from 'vitest'
import { z } from 'zod'
import { fieldErrorsOf } from '../src/index.ts'

const schema = z.strictObject({
  name: z.string(),
  steps: z.array(z.union([z.enum(['stop']), z.strictObject({ id: z.string() })])),
})

test.each([
  ['a field that is absent', { steps: [] }, 'name', 'is required'],
  ['a field of a wrong type', { name: 5, steps: [] }, 'name', /expected string, received number/],
  ['a field nobody knows', { name: '', steps: [], size: 1 }, 'size', 'is not a known field'],
  [
    'the branch of a union that came nearest',
    { name: '', steps: [{}] },
    'steps[0].id',
    'is required',
  ],
  ['the whole', undefined, '', 'is required'],
])('%s is named by its path', (_case, value, path, message) => {
  expect(fieldErrorsOf(schema.safeParse(value).error!)).toEqual([
    { path, message: expect.stringMatching(message) },
  ])
})
