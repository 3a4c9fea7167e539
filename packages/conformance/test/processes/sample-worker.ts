/** A worker of the SDK as its README shows it. */
import { defineHandler, runWorker } from '@signalbox/worker'
import { z } from 'zod'

const reverse = defineHandler({
  name: 'reverse',
  description: 'Reverses a text.',
  config: z.object({ text: z.string() }),
  async handle({ config }) {
    return { output: { text: [...config.text].reverse().join('') } }
  },
})

await runWorker({ name: 'sample-worker', handlers: [reverse] })
