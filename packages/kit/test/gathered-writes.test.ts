import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { gatherWrites } from '../src/gathered-writes.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

function socket() {
  const writes: string[] = []
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      writes.push(chunk)
      done()
    },
    writev(chunks: { chunk: string }[], done) {
      writes.push(chunks.map(({ chunk }) => chunk).join(''))
      done()
    },
  })
  return { writes, stream }
}

describe('gathered writes', () => {
  it('leave in one, and those of a later turn in another', async () => {
    const { writes, stream } = socket()
    for (const chunk of 'abc') {
      gatherWrites(stream)
      stream.write(chunk)
    }
    expect(writes).toEqual([])
    await turn()
    expect(writes).toEqual(['abc'])
    gatherWrites(stream)
    stream.write('d')
    await turn()
    expect(writes).toEqual(['abc', 'd'])
  })

  it('hold back nothing of another stream', () => {
    const [gathered, other] = [socket(), socket()]
    gatherWrites(gathered.stream)
    other.stream.write('x')
    expect(other.writes).toEqual(['x'])
  })
})
