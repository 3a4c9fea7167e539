/** A handler worker that does nothing, as fast as the SDK can: what is measured is the way, not the work. */
import { defineHandler, runWorker } from '@signalbox/worker'
import { z } from 'zod'

await runWorker({
  name: 'bench-worker',
  handlers: [
    defineHandler({
      name: 'noop',
      description: 'Does nothing.',
      config: z.object({ text: z.string() }),
      async handle() {},
    }),
  ],
})
