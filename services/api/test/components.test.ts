import { expect, test } from 'vitest'
import { tidyComponents } from '../src/components.ts'

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
const documentOf = (paths: object, schemas: Record<string, object>) => ({
  paths,
  components: { schemas },
})

test('what no route reaches is left out', () => {
  const tidy = tidyComponents(
    documentOf(
      { a: ref('Used') },
      {
        Used: { items: ref('Deep') },
        Deep: { type: 'string' },
        Unused: { items: ref('Deep') },
      },
    ),
  )
  expect(tidy.components.schemas).toEqual({
    Deep: { type: 'string' },
    Used: { items: ref('Deep') },
  })
})

test('what is sent and what is answered is one component where both say the same', () => {
  const tidy = tidyComponents(
    documentOf(
      { sent: ref('NodeInput'), answered: ref('Node') },
      {
        Node: { items: ref('Node') },
        NodeInput: { items: ref('NodeInput') },
      },
    ),
  )
  expect(tidy).toEqual(
    documentOf({ sent: ref('Node'), answered: ref('Node') }, { Node: { items: ref('Node') } }),
  )
})

test('what differs stays two, and so does what refers to it', () => {
  const document = documentOf(
    { sent: ref('ChainInput'), answered: ref('Chain') },
    {
      Chain: { items: ref('Step') },
      ChainInput: { items: ref('StepInput') },
      Step: { required: ['config'] },
      StepInput: { required: [] },
    },
  )
  expect(tidyComponents(document)).toEqual(document)
})

test('what is only sent goes by its own name', () => {
  const tidy = tidyComponents(
    documentOf({ sent: ref('EventInput') }, { Event: {}, EventInput: { required: [] } }),
  )
  expect(tidy).toEqual(documentOf({ sent: ref('Event') }, { Event: { required: [] } }))
})

test('a reference to nothing is said', () => {
  expect(() => tidyComponents(documentOf({ a: ref('Lost') }, {}))).toThrow('"Lost"')
})
