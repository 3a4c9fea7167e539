/**
 * Whether a step's config fits its handler's JSON Schema, as far as can be said before its templates are resolved: a string
 * with `${{ }}` in it may become anything, so faults that depend on it are not faults yet. The worker checks again, resolved.
 */
import type { FieldError, Json, JsonObject } from '@signalbox/contracts'
import { formatPath } from '@signalbox/kit'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { LRUCache } from 'lru-cache'

const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false, logger: false })

const validators = new LRUCache<string, ValidateFunction>({ max: 1_000 })

/** These fail because of something below them; when that is a template, so may they. */
const COMPOSITE_KEYWORDS = new Set(['anyOf', 'oneOf', 'allOf', 'not', 'if', 'then', 'else', '$ref'])

/** Throws an Error when `schema` is not a JSON Schema. */
export function compileConfigSchema(schema: JsonObject): ValidateFunction {
  const text = JSON.stringify(schema)
  let validate = validators.get(text)
  if (!validate) {
    // n.b. `$id` would be remembered by ajv under that name, and the next version of the schema refused for it.
    const { $id: _id, ...anonymous } = schema
    validate = ajv.compile(anonymous)
    ajv.removeSchema(anonymous)
    validators.set(text, validate)
  }
  return validate
}

/** The faults of `config`, their paths below `base`. */
export function configErrors(schema: JsonObject, config: JsonObject, base: string): FieldError[] {
  const validate = compileConfigSchema(schema)
  if (validate(config)) return []
  const templated = templatedPointers(config, '')
  const found = validate.errors ?? []
  const open = found.filter((error) => dependsOnTemplate(error, templated))
  const errors = new Map<string, FieldError>()
  for (const error of found) {
    if (open.some((other) => isSameOrBranch(error, other))) continue
    const { path, message } = readable(error, base)
    errors.set(`${path} ${message}`, { path, message })
  }
  return [...errors.values()]
}

function dependsOnTemplate(error: ErrorObject, templated: readonly string[]): boolean {
  return templated.some(
    (pointer) =>
      pointer === error.instancePath ||
      (COMPOSITE_KEYWORDS.has(error.keyword) && pointer.startsWith(`${error.instancePath}/`)),
  )
}

/** Whether `error` is `other`, or what one branch of it (of an `anyOf`, say) lacks. */
function isSameOrBranch(error: ErrorObject, other: ErrorObject): boolean {
  return error === other || error.schemaPath.startsWith(`${other.schemaPath}/`)
}

/** JSON pointers of the strings that hold a template. */
function templatedPointers(value: Json, pointer: string): string[] {
  if (typeof value === 'string') return value.includes('${{') ? [pointer] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, nested]) =>
    templatedPointers(nested, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`),
  )
}

function readable(error: ErrorObject, base: string): FieldError {
  const segments = error.instancePath.split('/').slice(1).map(unescapePointer)
  const at = [
    base,
    ...segments.map((segment) => (/^\d+$/.test(segment) ? Number(segment) : segment)),
  ]
  switch (error.keyword) {
    case 'required':
      return {
        path: formatPath([...at, String(error.params.missingProperty)]),
        message: 'is required',
      }
    case 'additionalProperties':
      return {
        path: formatPath([...at, String(error.params.additionalProperty)]),
        message: 'is not a known field',
      }
    case 'enum':
      return {
        path: formatPath(at),
        message: `must be one of ${JSON.stringify(error.params.allowedValues)}`,
      }
    default:
      return { path: formatPath(at), message: error.message ?? 'does not fit' }
  }
}

function unescapePointer(segment: string): string {
  return segment.replaceAll('~1', '/').replaceAll('~0', '~')
}
