/** What leaves this folder: the one file for others, and the modules for our own pages. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle } from '../scripts/bundle.ts'
import { servedModules } from '../src/served.ts'

/** A page should not have to think about it. */
const MAX_GZIPPED_BYTES = 6 * 1024

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'signalbox-client-'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the built file is one small module that needs no other', async () => {
  const code = await bundle()
  expect(gzipSync(code).length).toBeLessThan(MAX_GZIPPED_BYTES)
  const file = join(folder, 'bundle.mjs')
  writeFileSync(file, code)
  const built = (await import(pathToFileURL(file).href)) as Record<string, unknown>
  expect(Object.keys(built).sort()).toEqual(['SignalboxError', 'connect'])
})

test('the types of the build serve a strict program that has nothing else of ours', () => {
  const built = join(folder, 'node_modules', '@signalbox', 'client')
  const build = spawnSync(process.execPath, ['packages/client/scripts/build.ts', built], {
    encoding: 'utf8',
  })
  expect(build).toMatchObject({ status: 0, stderr: '' })
  expect(readFileSync(join(built, 'index.d.ts'), 'utf8')).not.toContain('@signalbox/')
  writeFileSync(
    join(folder, 'page.ts'),
    `import { connect, type StateChange } from '@signalbox/client'
    const client = connect({ url: 'ws://edge.example', token: async () => 'a', webSocket: WebSocket })
    const states = client.subscribeStateChange({ personKey: 'p1', entity: 'flow' }, { snapshot: true })
    for await (const item of states) {
      if (item.kind === 'change') { const { state }: StateChange = item.change; console.log(state) }
      // @ts-expect-error there is no other kind
      if (item.kind === 'other') break
    }
    export {}`,
  )
  const options = [
    '--noEmit',
    '--strict',
    '--target',
    'es2022',
    '--lib',
    'es2022,dom,esnext.disposable',
  ]
  const check = spawnSync('tsc', [...options, '--module', 'nodenext', '--types', '', 'page.ts'], {
    cwd: folder,
    encoding: 'utf8',
  })
  expect({ status: check.status, output: check.stdout }).toEqual({ status: 0, output: '' })
}, 60_000)

test('the modules for our own pages are JavaScript that imports nothing else', async () => {
  const modules = servedModules()
  const imported = [...modules.values()].flatMap((code) =>
    [...code.matchAll(/from '([^']+)'/g)].map(([, from]) => from!),
  )
  expect(imported.length).toBeGreaterThan(5)
  for (const from of imported)
    expect([...modules.keys()].map((name) => `./${name}`)).toContain(from)
  for (const [name, code] of modules) writeFileSync(join(folder, name), code)
  const index = (await import(pathToFileURL(join(folder, 'index.js')).href)) as object
  expect(Object.keys(index).sort()).toEqual(['SignalboxError', 'connect'])
})
