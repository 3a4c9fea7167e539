import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Fifo } from '../src/fifo.ts'

it('gives out items as an array would', () => {
  const steps = fc.array(fc.oneof(fc.integer(), fc.constant('shift' as const)), { maxLength: 200 })
  fc.assert(
    fc.property(steps, (taken) => {
      const fifo = new Fifo<number>()
      const model: number[] = []
      for (const step of taken) {
        if (step === 'shift') {
          expect(fifo.peek()).toBe(model[0])
          expect(fifo.shift()).toBe(model.shift())
        } else {
          fifo.push(step)
          model.push(step)
        }
        expect(fifo.size).toBe(model.length)
      }
    }),
  )
})
