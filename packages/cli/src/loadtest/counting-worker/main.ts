/**
 * The worker of a load test: one handler, which takes its time and says on standard output that it was called.
 *
 * Argument: the handler's name. Environment: as any worker.
 */
import { writeSync } from 'node:fs'
import { setTimeout as work } from 'node:timers/promises'
import { defineHandler, runWorker } from '@signalbox/worker'
import { z } from 'zod'
import { preciseNowMs } from '../clock.ts'
import { executionLine } from '../execution-report.ts'

const STDOUT = 1
const [name = 'loadtest'] = process.argv.slice(2)

await runWorker({
  name,
  handlers: [
    defineHandler({
      name,
      description: 'Counts the events of a load test.',
      config: z.object({
        index: z.string().regex(/^\d+$/),
        step: z.int().min(0),
        work_ms: z.int().min(0),
      }),
      async handle({ config, idempotencyKey, signal }) {
        if (config.work_ms > 0) await work(config.work_ms, undefined, { signal })
        const execution = {
          index: Number(config.index),
          step: config.step,
          invocationId: idempotencyKey,
          atMs: preciseNowMs(),
        }
        writeSync(STDOUT, executionLine(execution))
      },
    }),
  ],
})
