/** The client as one minified ES module, for pages without a build of their own and for those who count bytes. */
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const ENTRY = fileURLToPath(new URL('../src/index.ts', import.meta.url))

/** Its text. Throws when it would need another module at run time. */
export async function bundle(): Promise<string> {
  const built = await rolldown({ input: ENTRY, platform: 'browser' })
  try {
    const { output } = await built.generate({ format: 'esm', minify: true })
    const [chunk] = output
    if (output.length > 1 || chunk.imports.length + chunk.dynamicImports.length > 0) {
      throw new Error(`the client depends on ${[...chunk.imports, ...chunk.dynamicImports]}`)
    }
    return chunk.code
  } finally {
    await built.close()
  }
}
