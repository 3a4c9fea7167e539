import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Fifo } from '../src/fifo.ts'

it('gives out items as an array would', () => {
  const steps = fc.array(
    fc.oneof(fc.integer(), fc.constantFrom('shift' as const, 'drain' as const)),
    { maxLength: 200 },
  )
  fc.assert(
    fc.property(steps, (taken) => {
      const fifo = new Fifo<number>()
      const model: number[] = []
      for (const step of taken) {
        if (step === 'shift') {
          expect(fifo.peek()).toBe(model[0])
          expect(fifo.shift()).toBe(model.shift())
        } else if (step === 'drain') {
          expect(fifo.drain()).toEqual(model.splice(0))
        } else {
          fifo.push(step)
          model.push(step)
        }
        expect(fifo.size).toBe(model.length)
      }
    }),
  )
})
