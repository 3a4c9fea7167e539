import { EventEmitter } from 'node:events'
import { createMetrics } from '@signalbox/kit'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Frame, FrameBody, framePrefix } from '../src/frame.ts'
import { FrameWriters } from '../src/frame-writer.ts'
import { createEdgeMetrics } from '../src/metrics.ts'
import { textOf, textsOf } from './frame-text.ts'

class FakeStream extends EventEmitter {
  readonly writes: Buffer[] = []
  writable = true
  /** Bytes that the client has not taken. */
  writableLength = 0

  write(bytes: Buffer): boolean {
    this.writes.push(bytes)
    return true
  }
  get texts(): string[][] {
    return this.writes.map(textsOf)
  }
}

function openWriters({ joinMs = 5, maxBufferedBytes = 1_000, count = 1 } = {}) {
  const registry = createMetrics({ withProcessMetrics: false })
  const metrics = createEdgeMetrics(registry, new Map())
  const writers = new FrameWriters({ joinMs, maxBufferedBytes }, { metrics })
  const streams = Array.from({ length: count }, () => new FakeStream())
  return {
    registry,
    writers,
    streams,
    each: streams.map((stream) => writers.open(stream)),
  }
}

const change = (text: string) => new Frame('state_change', [text])
const answer = (text: string) => new Frame('answer', [text])

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'],
  })
})
afterEach(() => {
  vi.useRealTimers()
})

/** The end of this turn of the event loop. */
const endTurn = () => vi.advanceTimersByTime(0)

describe('a frame', () => {
  it('says what was given, whatever its length', () => {
    for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]) {
      const text = 'ä'.repeat(length / 2) + 'x'.repeat(length % 2)
      expect(textOf(change(text))).toBe(text)
    }
  })

  it('is made once per body and prefix', () => {
    const body = new FrameBody('state_change', '{"id":"ä"}}')
    const prefixes = [1, 'two', 3].map((id) => framePrefix('state_change', id))
    const frames = prefixes.map((prefix) => body.after(prefix))
    expect(frames.map(textOf)).toEqual(
      ['1', '"two"', '3'].map(
        (id) => `{"event":"state_change","request_id":${id},"data":{"id":"ä"}}`,
      ),
    )
    expect(prefixes.map((prefix) => body.after(prefix))).toEqual(frames)
    for (const [index, prefix] of prefixes.entries()) expect(body.after(prefix)).toBe(frames[index])
  })
})

describe('a writer', () => {
  it('writes the first frame to a quiet client at the end of the turn, with what came in the same turn', () => {
    const { each, streams } = openWriters()
    each[0]?.write(change('a'))
    each[0]?.write(change('b'))
    expect(streams[0]?.writes).toEqual([])
    endTurn()
    expect(streams[0]?.texts).toEqual([['a', 'b']])
  })

  it('joins what comes soon after a write, and lets it wait no longer than it may', () => {
    const { each, streams } = openWriters()
    each[0]?.write(change('a'))
    endTurn()
    each[0]?.write(change('b'))
    vi.advanceTimersByTime(4)
    each[0]?.write(change('c'))
    expect(streams[0]?.texts).toEqual([['a']])
    vi.advanceTimersByTime(1)
    expect(streams[0]?.texts).toEqual([['a'], ['b', 'c']])
    vi.advanceTimersByTime(5)
    each[0]?.write(change('d'))
    endTurn()
    expect(streams[0]?.texts).toEqual([['a'], ['b', 'c'], ['d']])
  })

  it('lets no answer wait, and what came before it goes before it', () => {
    const { each, streams } = openWriters()
    each[0]?.write(change('a'))
    endTurn()
    each[0]?.write(change('b'))
    each[0]?.write(answer('c'))
    endTurn()
    expect(streams[0]?.texts).toEqual([['a'], ['b', 'c']])
    vi.advanceTimersByTime(10)
    expect(streams[0]?.writes).toHaveLength(2)
  })

  it('writes each frame at once when joining is switched off', () => {
    const { each, streams } = openWriters({ joinMs: 0 })
    each[0]?.write(change('a'))
    each[0]?.write(change('b'))
    expect(streams[0]?.texts).toEqual([['a'], ['b']])
  })

  it('joins the bytes once for all clients that get the same frames', () => {
    const { each, streams } = openWriters({ count: 3 })
    const frames = ['a', 'b', 'c'].map(change)
    each[2]?.write(change('before'))
    for (const writer of each) for (const frame of frames) writer.write(frame)
    endTurn()
    expect(streams.map(({ texts }) => texts)).toEqual([
      [['a', 'b', 'c']],
      [['a', 'b', 'c']],
      [['before', 'a', 'b', 'c']],
    ])
    expect(streams[0]?.writes[0]).toBe(streams[1]?.writes[0])
  })

  it('drops the frame that would make more wait than may, and says so', () => {
    const { each, streams } = openWriters({ maxBufferedBytes: 100 })
    const [stream] = streams
    expect(each[0]?.write(change('x'.repeat(500)))).toBe(true)
    endTurn()
    if (stream) stream.writableLength = 60
    expect(each[0]?.write(change('x'.repeat(38)))).toBe(true)
    expect(each[0]?.write(change('x'))).toBe(false)
    vi.advanceTimersByTime(5)
    expect(stream?.writes).toHaveLength(2)
  })

  it('waits as long as a round of writes takes, where that is longer, and no longer than ten times the usual', () => {
    let nowMs = 0
    const now = vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
    const { each, streams, writers } = openWriters({ count: 2 })
    let costMs = 10
    for (const stream of streams) {
      const write = stream.write.bind(stream)
      stream.write = (bytes) => {
        nowMs += costMs
        return write(bytes)
      }
    }
    const [writer] = each
    for (const one of each) one.write(change('a'))
    endTurn()
    expect(writers.windowMs).toBe(20)

    nowMs += 6
    for (const text of ['b', 'c']) writer?.write(change(text))
    vi.advanceTimersByTime(19)
    expect(streams[0]?.texts).toEqual([['a']])
    costMs = 1_000
    vi.advanceTimersByTime(1)
    expect(streams[0]?.texts).toEqual([['a'], ['b', 'c']])
    expect(writers.windowMs).toBe(50)
    now.mockRestore()
  })

  it.each([0, 5])(
    'writes nothing after it was closed or the stream has ended, joining for %i ms',
    (joinMs) => {
      const { each, streams } = openWriters({ count: 2, joinMs })
      const [closed, ended] = each
      closed?.write(change('a'))
      closed?.close()
      if (streams[1]) streams[1].writable = false
      for (const writer of [closed, ended]) writer?.write(change('b'))
      vi.advanceTimersByTime(100)
      closed?.close()
      expect(streams.map(({ texts }) => texts)).toEqual([[['a']], []])
    },
  )

  it('counts frames, writes, bytes and how long a change took, once per turn', async () => {
    const { each, registry } = openWriters({ count: 2 })
    const body = new FrameBody('state_change', '1}', Date.now() - 20)
    for (const writer of each) {
      writer.write(answer('ok'))
      writer.write(body.after('{"data":'))
    }
    endTurn()
    const text = await registry.metrics()
    for (const line of [
      'signalbox_edge_frames_sent_total{kind="answer"} 2',
      'signalbox_edge_frames_sent_total{kind="state_change"} 2',
      'signalbox_edge_writes_total{joined="yes"} 2',
      'signalbox_edge_sent_bytes_total 32',
      'signalbox_edge_delivery_seconds_count 2',
      'signalbox_edge_delivery_seconds_bucket{le="0.01"} 0',
    ]) {
      expect(text.split('\n')).toContain(line)
    }
  })

  it('gives every client its frames in order and once, whatever the others get and when', () => {
    const step = fc.oneof(
      fc.record({ to: fc.subarray([0, 1, 2, 3]), kind: fc.constantFrom('answer', 'event') }),
      fc.record({ waitMs: fc.integer({ min: 0, max: 7 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(0, 1, 5), (steps, joinMs) => {
        const { each, streams } = openWriters({ joinMs, count: 4, maxBufferedBytes: 1e6 })
        const expected: string[][] = [[], [], [], []]
        for (const [index, what] of steps.entries()) {
          if ('waitMs' in what) {
            vi.advanceTimersByTime(what.waitMs)
            continue
          }
          const frame = new Frame(what.kind as 'answer' | 'event', [String(index)])
          for (const client of what.to) {
            each[client]?.write(frame)
            expected[client]?.push(String(index))
          }
        }
        vi.advanceTimersByTime(joinMs)
        expect(streams.map(({ texts }) => texts.flat())).toEqual(expected)
      }),
    )
  })
})
