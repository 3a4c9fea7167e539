/** A worker process as the README shows it; its handler takes a moment, so that a signal finds it at work. */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { defineHandler, runWorker } from '../../src/index.ts'

const echo = defineHandler({
  name: 'echo',
  description: 'Gives back its number.',
  config: z.strictObject({ n: z.int() }),
  async handle({ config }) {
    await sleep(5)
    return { output: config.n }
  },
})

await runWorker({ name: 'echo-worker', handlers: [echo] })
