/** `npm run docs`: writes every generated document to docs/. */
import { writeFileSync } from 'node:fs'
import { generatedDocuments } from './documents.ts'

const docs = new URL('../../docs/', import.meta.url)

for (const { name, text } of await generatedDocuments()) {
  writeFileSync(new URL(name, docs), text)
  console.log(`docs/${name}`)
}
