/** A worker process whose handler never comes to an end and does not listen to its signal either. */
import { z } from 'zod'
import { defineHandler, runWorker } from '../../src/index.ts'

const stuck = defineHandler({
  name: 'stuck',
  description: 'Never ends.',
  config: z.strictObject({ n: z.int() }),
  handle: () => new Promise<never>(() => undefined),
})

await runWorker({ name: 'stuck-worker', handlers: [stuck] })
