/**
 * `node packages/client/scripts/build.ts [folder]`: writes the package as it is published, to `packages/client/dist` unless another
 * folder is named: `signalbox-client.js` (one minified module) and `index.d.ts` with its types.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { bundle } from './bundle.ts'

const PACKAGE = fileURLToPath(new URL('..', import.meta.url))
const folder = resolve(process.argv[2] ?? join(PACKAGE, 'dist'))

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })

const code = await bundle()
writeFileSync(join(folder, 'signalbox-client.js'), code)

const types = spawnSync(
  'tsc',
  ['--project', join(PACKAGE, 'tsconfig.build.json'), '--outDir', folder],
  { stdio: 'inherit' },
)
if (types.error) throw new Error('cannot run tsc', { cause: types.error })
process.exitCode = types.status ?? 1

const { name, version, license } = (await import('../package.json', { with: { type: 'json' } }))
  .default
const published = {
  name,
  version,
  license,
  type: 'module',
  sideEffects: false,
  exports: { '.': { types: './index.d.ts', default: './signalbox-client.js' } },
}
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(published, null, 2)}\n`)
process.stdout.write(`${folder}: ${code.length} bytes, ${gzipSync(code).length} gzipped\n`)
