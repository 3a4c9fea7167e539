/** A worker process that is killed in the middle of its first step, as by an operating system without memory. */
import { kill, pid } from 'node:process'
import { z } from 'zod'
import { defineHandler, runWorker } from '../../src/index.ts'

const fragile = defineHandler({
  name: 'fragile',
  description: 'Ends its process.',
  config: z.looseObject({}),
  handle: () => void kill(pid, 'SIGKILL'),
})

await runWorker({ name: 'dying-worker', handlers: [fragile] })
