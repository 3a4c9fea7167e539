/**
 * What is written to the clients, and when.
 *
 * A writer belongs to one socket. The first frame to a *quiet* one leaves at the end of the turn of the event loop; frames that come
 * within `joinMs` of its last write wait for a timer that all writers share, `joinMs` at most (longer only where writing takes longer), and leave in one write. An answer
 * waits for no timer, and takes along what waits before it: the order is always that in which frames were given.
 *
 * n.b. ws reads, answers pings and closes; it writes whole frames and no compressed ones, so that what is written beside it to the
 * stream of the same upgrade falls between its frames.
 */
import { FRAME_KINDS, type Frame, type FrameKind, type FrameRun } from './frame.ts'
import type { EdgeMetrics } from './metrics.ts'

/** The connection's stream; a `net.Socket` is one. */
export interface ClientStream {
  readonly writable: boolean
  readonly writableLength: number
  write(bytes: Uint8Array): boolean
  once(event: 'drain' | 'close', listener: () => void): unknown
  off(event: 'drain' | 'close', listener: () => void): unknown
}

/** The most that the wait grows to, in `joinMs`, where one round of writes takes longer than that. */
const MAX_STRETCH = 10

export interface FrameWritersOptions {
  /**
   * The longest that a frame waits to be joined with others, in milliseconds, where a round of writes takes no longer than that; 0: every frame
   * is written by itself, at once.
   */
  joinMs: number
  /** Bytes that may wait for one client, here and in the stream. */
  maxBufferedBytes: number
}

export interface FrameWritersDeps {
  metrics: Pick<EdgeMetrics, 'frames' | 'writes' | 'sentBytes' | 'latency'>
}

/** Disposing it drops what waits. */
export class FrameWriters implements Disposable {
  readonly options: Readonly<FrameWritersOptions>
  readonly #metrics: FrameWritersDeps['metrics']
  /** What was written since the last report. */
  #written: FrameRun[] = []
  readonly #timestampsMs: number[] = []
  #soon: FrameWriter[] = []
  #later: FrameWriter[] = []
  #immediate: NodeJS.Immediate | undefined
  #timer: NodeJS.Timeout | undefined
  /**
   * How long frames wait now. `joinMs`, or as long as the last round of writes took: thousands of clients would otherwise be written to for
   * each event by itself, and never come to joining anything.
   */
  windowMs: number

  constructor(options: FrameWritersOptions, { metrics }: FrameWritersDeps) {
    this.options = options
    this.windowMs = options.joinMs
    this.#metrics = metrics
  }

  open(stream: ClientStream): FrameWriter {
    return new FrameWriter(this, stream)
  }

  flushSoon(writer: FrameWriter): void {
    this.#soon.push(writer)
    this.#beginTurn()
  }

  flushLater(writer: FrameWriter): void {
    this.#later.push(writer)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const due = this.#later
      this.#later = []
      this.#flush(due)
    }, this.windowMs)
  }

  /** Told of every write, before it. Counted by the run, because a fan-out writes the same one again and again. */
  wrote(run: FrameRun): void {
    if (run.unreportedWrites++ > 0) return
    this.#written.push(run)
    if (this.options.joinMs === 0) this.#beginTurn()
    if (!run.isUnsent) return
    for (const { timestampMs } of run.frames()) {
      if (timestampMs !== undefined) this.#timestampsMs.push(timestampMs)
    }
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#immediate)
    clearTimeout(this.#timer)
    this.#soon = []
    this.#later = []
  }

  #beginTurn(): void {
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined
      const due = this.#soon
      this.#soon = []
      this.#flush(due)
    })
  }

  #flush(due: readonly FrameWriter[]): void {
    const { joinMs } = this.options
    const beganMs = performance.now()
    for (const writer of due) writer.flush()
    // n.b. only now: a round of writes to thousands takes longer than `joinMs`, and all of them would be quiet again before its end.
    const nowMs = performance.now()
    for (const writer of due) writer.wroteAt(nowMs)
    this.windowMs = Math.min(Math.max(joinMs, nowMs - beganMs), MAX_STRETCH * joinMs)
    this.#report()
  }

  /** Once per turn, because counting each frame by itself would cost as much as sending it. */
  #report(): void {
    const frames: Record<FrameKind, number> = { answer: 0, state_change: 0, event: 0, gap: 0 }
    const writes = { yes: 0, no: 0 }
    let bytes = 0
    for (const run of this.#written) {
      const count = run.unreportedWrites
      run.unreportedWrites = 0
      writes[run.before ? 'yes' : 'no'] += count
      bytes += run.byteLength * count
      for (const { kind } of run.frames()) frames[kind] += count
    }
    this.#written = []
    for (const kind of FRAME_KINDS) {
      if (frames[kind] > 0) this.#metrics.frames.inc({ kind }, frames[kind])
    }
    this.#metrics.writes.inc({ joined: 'yes' }, writes.yes)
    this.#metrics.writes.inc({ joined: 'no' }, writes.no)
    this.#metrics.sentBytes.inc(bytes)
    const nowMs = Date.now()
    for (const timestampMs of this.#timestampsMs) {
      this.#metrics.latency.observe(Math.max(0, nowMs - timestampMs) / 1_000)
    }
    this.#timestampsMs.length = 0
  }
}

/** Small, because there is one per connection. */
export class FrameWriter {
  readonly #writers: FrameWriters
  readonly #stream: ClientStream
  #waiting: FrameRun | undefined
  #isClosed = false
  #isDueSoon = false
  #lastWriteMs = Number.NEGATIVE_INFINITY

  constructor(writers: FrameWriters, stream: ClientStream) {
    this.#writers = writers
    this.#stream = stream
  }

  /** A quarter of what may wait does. */
  get isCongested(): boolean {
    return this.#waitingBytes > this.#writers.options.maxBufferedBytes / 4
  }

  /** Resolves when it is not congested, or the stream is gone. */
  async drained(): Promise<void> {
    while (this.isCongested && this.#stream.writable) {
      this.flush()
      if (this.#stream.writableLength > 0) await untilDrained(this.#stream)
    }
  }

  /** False: the frame was dropped, because more than the bound would wait. A single frame may be as large as it is. */
  write(frame: Frame): boolean {
    const { joinMs, maxBufferedBytes } = this.#writers.options
    const waitingBytes = this.#waitingBytes
    if (waitingBytes > 0 && waitingBytes + frame.bytes.length > maxBufferedBytes) return false
    if (joinMs === 0) {
      this.#send(frame.run)
      return true
    }
    const isFirst = this.#waiting === undefined
    this.#waiting = this.#waiting?.and(frame) ?? frame.run
    if (frame.kind === 'answer' || (isFirst && this.#isQuiet)) {
      if (!this.#isDueSoon) this.#writers.flushSoon(this)
      this.#isDueSoon = true
    } else if (isFirst) {
      this.#writers.flushLater(this)
    }
    return true
  }

  /** Writes what waits. */
  flush(): void {
    this.#isDueSoon = false
    const run = this.#waiting
    this.#waiting = undefined
    if (run) this.#send(run)
  }

  /** Writes what waits, and nothing after it. Idempotent. */
  close(): void {
    this.flush()
    this.#isClosed = true
  }

  /** Milliseconds of `performance.now`. */
  wroteAt(timeMs: number): void {
    this.#lastWriteMs = timeMs
  }

  get #waitingBytes(): number {
    return (this.#waiting?.byteLength ?? 0) + this.#stream.writableLength
  }

  get #isQuiet(): boolean {
    return performance.now() - this.#lastWriteMs >= this.#writers.windowMs
  }

  #send(run: FrameRun): void {
    if (this.#isClosed || !this.#stream.writable) return
    this.#writers.wrote(run)
    this.#stream.write(run.bytes)
  }
}

function untilDrained(stream: ClientStream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done)
      stream.off('close', done)
      resolve()
    }
    stream.once('drain', done)
    stream.once('close', done)
  })
}
