import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { ensureDebianPackages, findExecutable } from '../src/debian-packages.ts'

afterEach(() => vi.unstubAllEnvs())

test('packages whose probe says yes are not asked for', async () => {
  vi.stubEnv('PATH', '')
  await expect(
    ensureDebianPackages(['python3-pika'], { probe: async () => true }),
  ).resolves.toBeUndefined()
})

test('where nothing can be installed the error is the command to run, and what else to do', async () => {
  vi.stubEnv('PATH', '')
  await expect(
    ensureDebianPackages(['chromium', 'python3-pika'], {
      probe: async () => false,
      otherwise: 'or leave out the browser',
    }),
  ).rejects.toThrow(
    [
      'This needs chromium and python3-pika. Install with:',
      '  sudo apt-get install -y --no-install-recommends chromium python3-pika',
      'or leave out the browser',
    ].join('\n'),
  )
})

test('a command is found in the folders of the search path', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'signalbox-path-'))
  await writeFile(join(folder, 'runnable'), '', { mode: 0o755 })
  const searchPath = `/absent:${folder}`
  await expect(findExecutable('runnable', searchPath)).resolves.toBe(join(folder, 'runnable'))
  await expect(findExecutable('missing', searchPath)).resolves.toBeUndefined()
  await rm(folder, { recursive: true })
})
