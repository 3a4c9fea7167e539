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
import { writeWhole } from './whole-write.ts'

const STDOUT = 1
const PAUSE_MS = 2
const never = new Int32Array(new SharedArrayBuffer(4))
const stdout = {
  write: (bytes: Uint8Array) => writeSync(STDOUT, bytes),
  pause: () => void Atomics.wait(never, 0, 0, PAUSE_MS),
}
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
        writeWhole(executionLine(execution), stdout)
      },
    }),
  ],
})
