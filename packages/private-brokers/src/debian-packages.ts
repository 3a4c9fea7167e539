/**
 * What is needed from the distribution: looked for first, installed only where that takes nobody's password
 * (root, with apt-get), else asked for with the command to run.
 */
import { spawn } from 'node:child_process'
import { access, constants, readFile, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { createLineTail } from './line-tail.ts'

const INSTALL_TIMEOUT_MS = 15 * 60_000

/** Asked by Debian's maintainer scripts before they start a service; 101 means "do not". */
const POLICY_FILE = '/usr/sbin/policy-rc.d'
const POLICY = '#!/bin/sh\n# Written by Signalbox while it installs packages.\nexit 101\n'

export interface EnsureOptions {
  /** Whether what the packages bring is there. */
  probe: () => Promise<boolean>
  /** What else the reader of the error can do. */
  otherwise?: string
}

/**
 * Resolves when `probe` says yes, after installing the packages if need be; services they bring are not started.
 * Throws with the command to run where they cannot be installed.
 */
export async function ensureDebianPackages(
  names: readonly [string, ...string[]],
  { probe, otherwise }: EnsureOptions,
): Promise<void> {
  if (await probe()) return
  const advice = [
    `This needs ${names.join(' and ')}. Install with:`,
    `  sudo apt-get install -y --no-install-recommends ${names.join(' ')}`,
    ...(otherwise === undefined ? [] : [otherwise]),
  ].join('\n')
  if (process.getuid?.() !== 0 || !(await findExecutable('apt-get'))) throw new Error(advice)

  process.stderr.write(`Installing ${names.join(' and ')} from the distribution's packages, once\n`)
  const output = await withoutServices(async () => {
    // n.b. one broken source fails an update although the others may suffice: what counts is the installation.
    const update = await aptGet(['update'])
    return [update, await aptGet(['install', '-y', '--no-install-recommends', ...names])]
  })
  if (!(await probe())) throw new Error([...output, advice].join('\n'))
}

/** The full path of a command on PATH, or undefined. */
export async function findExecutable(
  name: string,
  searchPath = process.env.PATH ?? '',
): Promise<string | undefined> {
  for (const folder of searchPath.split(delimiter)) {
    const path = join(folder, name)
    if (await isExecutable(path)) return path
  }
  return undefined
}

export function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** Resolves with its last lines of output, whatever its outcome. */
function aptGet(args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: INSTALL_TIMEOUT_MS,
    })
    const tail = createLineTail()
    child.stdout.on('data', tail.push)
    child.stderr.on('data', tail.push)
    child.once('error', (error) => resolve(error.message))
    child.once('close', () => resolve(tail.text()))
  })
}

/** A policy that is there already is the machine's own and stays. */
async function withoutServices<T>(work: () => Promise<T>): Promise<T> {
  const existing = await readFile(POLICY_FILE, 'utf8').catch(() => undefined)
  if (existing === undefined) await writeFile(POLICY_FILE, POLICY, { mode: 0o755, flag: 'wx' })
  try {
    return await work()
  } finally {
    if (existing === undefined || existing === POLICY) await rm(POLICY_FILE, { force: true })
  }
}
