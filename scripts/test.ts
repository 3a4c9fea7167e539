/**
 * `npm test`: format, lint, types, then unit, integration and end-to-end tests; the vitest summary comes last.
 *
 * Arguments go to vitest (`npm test -- --project unit packages/contracts`); with arguments only vitest runs, because
 * whoever asks for one file wants its answer now.
 */
import { spawnSync } from 'node:child_process'

const vitestArgs = process.argv.slice(2)

if (vitestArgs.length === 0) {
  // n.b. asked to, because on a build machine biome colours what goes into a file.
  const colours = process.stdout.isTTY ? 'force' : 'off'
  run('biome', ['ci', `--colors=${colours}`, '--error-on-warnings', '.'])
  run('oxlint', ['--type-aware', '--deny-warnings', '.'])
  run('tsc', ['--noEmit'])
}
run('vitest', ['run', ...vitestArgs])

function run(command: string, args: string[]): void {
  const startedAt = performance.now()
  const outcome = spawnSync(command, args, { stdio: 'inherit' })
  if (outcome.error) throw new Error(`cannot run ${command}`, { cause: outcome.error })
  if (outcome.status !== 0) {
    console.error(`${command} ${args.join(' ')}: failed (exit ${outcome.status ?? outcome.signal})`)
    process.exit(outcome.status ?? 1)
  }
  if (command !== 'vitest') {
    console.log(`${command}: ok (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`)
  }
}
