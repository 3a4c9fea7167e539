/**
 * The components of the OpenAPI document: those that a route uses, each under its own name.
 *
 * Generated, there are two for every registered schema, `X` and `XInput`, because what is sent may leave out what has a
 * default. Here the second goes where it says the same, or where nothing is answered with the first.
 */

type Schemas = Record<string, unknown>
interface Document {
  components?: { schemas?: Schemas }
}

const PREFIX = '#/components/schemas/'
const REFERENCE = new RegExp(`"${PREFIX}([^"]+)"`, 'g')

export function tidyComponents<Described extends object>(
  document: Described & Document,
): Described {
  const used = usedSchemas(document)
  const renamed = renamedInputs(used)
  const schemas = Object.entries(used).flatMap(([name, schema]) =>
    renamed.has(name) && used[renamed.get(name)!] ? [] : [[renamed.get(name) ?? name, schema]],
  )
  const components = { ...document.components, schemas: Object.fromEntries(schemas.toSorted()) }
  return JSON.parse(withReferences({ ...document, components }, renamed)) as Described
}

/** Those reachable from the paths. */
function usedSchemas({ components, ...rest }: Document): Schemas {
  const all = components?.schemas ?? {}
  const used: Schemas = {}
  const waiting = referencesIn(rest)
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name in used) continue
    if (!(name in all)) throw new Error(`the OpenAPI document refers to "${name}", which it lacks`)
    used[name] = all[name]
    waiting.push(...referencesIn(all[name]))
  }
  return used
}

/** `XInput` to `X`. Starts from all and drops those that differ, until what is left agrees with itself. */
function renamedInputs(used: Schemas): Map<string, string> {
  let renamed = new Map<string, string>()
  for (const name of Object.keys(used)) {
    if (name.endsWith('Input')) renamed.set(name, name.slice(0, -'Input'.length))
  }
  for (;;) {
    const same = new Map(
      [...renamed].filter(
        ([input, name]) =>
          used[name] === undefined ||
          withReferences(used[input], renamed) === withReferences(used[name], renamed),
      ),
    )
    if (same.size === renamed.size) return renamed
    renamed = same
  }
}

function referencesIn(value: unknown): string[] {
  return [...JSON.stringify(value).matchAll(REFERENCE)].map(([, name]) => name!)
}

function withReferences(value: unknown, renamed: ReadonlyMap<string, string>): string {
  return JSON.stringify(value).replace(
    REFERENCE,
    (_all, name: string) => `"${PREFIX}${renamed.get(name) ?? name}"`,
  )
}
