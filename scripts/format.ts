/** `npm run format`: formats and applies the safe lint fixes everywhere. */
import { spawnSync } from 'node:child_process'

process.exitCode = spawnSync('biome', ['check', '--write', '.'], { stdio: 'inherit' }).status ?? 1
