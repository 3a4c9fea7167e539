import { defineHandler } from '@signalbox/worker'
import { z } from 'zod'

export default defineHandler({
  name: 'shout',
  description: 'Turns a text into capitals.',
  config: z.object({ text: z.string().max(1_000) }),
  output: z.object({ text: z.string() }),
  async handle({ config }) {
    return { output: { text: config.text.toUpperCase() } }
  },
})
