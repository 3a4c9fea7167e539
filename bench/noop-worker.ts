/** A handler worker as fast as the SDK can: what is measured is the way, not the work. One of its handlers does nothing, the other sleeps. */
import { setTimeout as sleep } from 'node:timers/promises'
import { defineHandler, runWorker } from '@signalbox/worker'
import { z } from 'zod'

const LONGEST_SLEEP_MS = 60_000

await runWorker({
  name: 'bench-worker',
  handlers: [
    defineHandler({
      name: 'noop',
      description: 'Does nothing.',
      config: z.object({ text: z.string() }),
      async handle() {},
    }),
    defineHandler({
      name: 'sleep',
      description: 'Does nothing for a while.',
      config: z.object({ ms: z.int().min(1).max(LONGEST_SLEEP_MS) }),
      timeoutMs: 2 * LONGEST_SLEEP_MS,
      async handle({ config, signal }) {
        await sleep(config.ms, undefined, { signal })
      },
    }),
  ],
})
