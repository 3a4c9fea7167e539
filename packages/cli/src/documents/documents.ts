/** Documents of chains and the like: one or many in a JSON or YAML file. */
import { parseAllDocuments } from 'yaml'
import { InputError } from '../failure.ts'

/** One of them, and where it stands, for errors: `chains.yaml[2]`. */
export interface PlacedDocument {
  value: unknown
  where: string
}

/**
 * A file holds one, an array of them, or `{items: [...]}` as a listing of the API has it; a YAML file may hold several documents of these. Throws
 * `InputError` for what is no JSON or YAML.
 */
export function documentsOf(text: string, name: string): PlacedDocument[] {
  const values = valuesOf(text, name).flatMap((value) => {
    if (Array.isArray(value)) return value as unknown[]
    const { items } = (value ?? {}) as { items?: unknown }
    return Array.isArray(items) ? (items as unknown[]) : [value]
  })
  if (values.length === 0) throw new InputError(`${name} is empty`)
  return values.map((value, index) => ({
    value,
    where: values.length === 1 ? name : `${name}[${index}]`,
  }))
}

function valuesOf(text: string, name: string): unknown[] {
  if (isJson(text, name)) {
    try {
      return [JSON.parse(text)]
    } catch (error) {
      throw new InputError(`${name} is not JSON: ${(error as Error).message}`)
    }
  }
  const documents = parseAllDocuments(text)
  if (!Array.isArray(documents)) return []
  return documents.flatMap((document) => {
    const [fault] = [...document.errors, ...document.warnings]
    if (fault) throw new InputError(`${name} is not YAML: ${fault.message}`)
    try {
      const value: unknown = document.toJS()
      return value === null ? [] : [value]
    } catch (error) {
      // n.b. aliases that would multiply beyond measure.
      throw new InputError(`${name} cannot be read: ${(error as Error).message}`)
    }
  })
}

/** By its ending, else by its first character: every JSON is YAML, but the errors of JSON's own parser are better. */
function isJson(text: string, name: string): boolean {
  if (/\.ya?ml$/i.test(name)) return false
  return /\.json$/i.test(name) || /^\s*[{[]/.test(text)
}
