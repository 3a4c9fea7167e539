/**
 * The client for pages that a process of ours serves: its own sources, their types taken away as Node takes them away to run them. So a
 * page has the client that the checkout has, without a build. For Node.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'

const OWN_NAME = 'served.ts'

/** File name -> JavaScript; `index.js` is the one to import. A few milliseconds; keep what it gives. */
export function servedModules(): ReadonlyMap<string, string> {
  const names = readdirSync(import.meta.dirname).filter((name) => name !== OWN_NAME)
  return withoutWarning(
    () =>
      new Map(
        names.map((name) => {
          const source = readFileSync(join(import.meta.dirname, name), 'utf8')
          const code = stripTypeScriptTypes(source).replaceAll(
            /(from '\.\/[a-z-]+)\.ts'/g,
            "$1.js'",
          )
          return [name.replace(/\.ts$/, '.js'), code]
        }),
      ),
  )
}

/** n.b. Node warns that this function is experimental; running the sources, which does the same, is not. */
function withoutWarning<Result>(act: () => Result): Result {
  const { emitWarning } = process
  process.emitWarning = () => undefined
  try {
    return act()
  } finally {
    process.emitWarning = emitWarning
  }
}
