/**
 * Runs a TypeScript entry point on the pinned Node, installing the workspace first when it is not there.
 *
 * This file is the only one that runs on whatever Node (20 or newer) the machine has, and it may use
 * nothing but Node itself: at its start there is no `node_modules`. It fetches pnpm through npm in the version that
 * package.json names, installs from the lockfile, and leaves a stamp so that the next start installs nothing.
 *
 * Usage: node scripts/run.mjs <entry.ts> [arguments]
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const pinnedNode = join(
  root,
  'node_modules',
  'node',
  'bin',
  process.platform === 'win32' ? 'node.exe' : 'node',
)
const stampFile = join(root, 'node_modules', '.installed')

install()
run(process.argv.slice(2))

/** The hash of everything that decides what an installation holds. */
function wantedStamp() {
  const hash = createHash('sha256')
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json']) {
    hash.update(readFileSync(join(root, file)))
  }
  return hash.digest('hex')
}

function install() {
  const wanted = wantedStamp()
  const found = existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : ''
  if (found === wanted && existsSync(pinnedNode)) return

  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const startedAt = Date.now()
  console.error(
    `Installing dependencies with ${packageManager} (once; needs a package registry) ...`,
  )
  const outcome = spawnSync(
    'npm',
    [
      'exec',
      '--yes',
      `--package=${packageManager}`,
      '--',
      'pnpm',
      'install',
      '--frozen-lockfile',
      '--reporter=append-only',
    ],
    {
      cwd: root,
      // Their advertisements of newer versions are not for whoever runs this project.
      env: { ...process.env, npm_config_update_notifier: 'false' },
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
      shell: process.platform === 'win32',
    },
  )
  if (outcome.status !== 0) {
    console.error(outcome.stdout ?? '')
    console.error(outcome.stderr ?? '')
    console.error(
      `The installation failed: ${outcome.error?.message ?? 'the lines above say why'}.`,
    )
    process.exit(1)
  }
  if (!existsSync(pinnedNode)) {
    console.error(
      `The installation has no ${pinnedNode}: the "node" package must be allowed to run its install script.`,
    )
    process.exit(1)
  }
  writeFileSync(stampFile, wanted)
  console.error(`Installed in ${((Date.now() - startedAt) / 1000).toFixed(1)} s.`)
}

/** Runs the entry as a child and becomes it as far as others can see: its output, its signals, its exit code. */
function run([entry, ...args]) {
  const child = spawn(pinnedNode, [join(root, entry), ...args], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      PATH: `${dirname(pinnedNode)}:${join(root, 'node_modules', '.bin')}:${process.env.PATH}`,
    },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // n.b. Ctrl-C in a terminal reaches the child by itself (same process group); a second SIGINT would cut its drain short.
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    } else {
      process.exit(code ?? 1)
    }
  })
}
