/** The documents that are generated from the code. A test compares them with what lies in docs/. */
import { buildOpenApi } from '../../services/api/src/openapi.ts'
import { asyncApiDocument } from './asyncapi.ts'
import { configurationPage } from './configuration.ts'

export interface GeneratedDocument {
  /** Within docs/. */
  name: string
  text: string
}

export async function generatedDocuments(): Promise<GeneratedDocument[]> {
  return [
    { name: 'configuration.md', text: configurationPage() },
    { name: 'asyncapi.json', text: json(asyncApiDocument()) },
    { name: 'openapi.json', text: json(await buildOpenApi()) },
  ]
}

function json(document: object): string {
  return `${JSON.stringify(document, undefined, 2)}\n`
}
