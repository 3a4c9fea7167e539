/**
 * Frames as they go over the wire to a client: RFC 6455 text frames of a server, whole, unmasked.
 *
 * What many sockets get is made once. A *body* is what all subscribers of a message share, encoded once; a *prefix* is what a
 * subscription puts before it; a *frame* is made once per body and distinct prefix. A *run* is several frames in a row: sockets
 * that get the same frames in the same order share it, and its bytes are joined once for all of them.
 */

export const FRAME_KINDS = ['answer', 'state_change', 'event', 'gap'] as const
export type FrameKind = (typeof FRAME_KINDS)[number]

/** FIN and the opcode of text. Source: https://www.rfc-editor.org/rfc/rfc6455#section-5.2 */
const FINAL_TEXT = 0x81
const MAX_LENGTH_IN_7_BITS = 125
const LENGTH_IN_16_BITS = 126
const LENGTH_IN_64_BITS = 127

/** Never changed after it was made: many sockets may hold it. */
export class Frame {
  readonly kind: FrameKind
  /** Header and payload. */
  readonly bytes: Buffer
  /** When what it tells of happened, Unix milliseconds; undefined: nobody asks how long it took. */
  readonly timestampMs: number | undefined
  #run: FrameRun | undefined

  constructor(kind: FrameKind, payload: readonly (string | Buffer)[], timestampMs?: number) {
    this.kind = kind
    this.bytes = encodeText(payload)
    this.timestampMs = timestampMs
  }

  /** The run of this frame alone. */
  get run(): FrameRun {
    this.#run ??= new FrameRun(this)
    return this.#run
  }
}

/** The end of a frame: the shared data and what follows it, up to the last brace. */
export class FrameBody {
  readonly kind: FrameKind
  readonly timestampMs: number | undefined
  readonly #bytes: Buffer
  #last: { prefix: string; frame: Frame } | undefined
  #others: Map<string, Frame> | undefined

  constructor(kind: FrameKind, text: string, timestampMs?: number) {
    this.kind = kind
    this.timestampMs = timestampMs
    this.#bytes = Buffer.from(text)
  }

  /** The same frame for the same prefix. */
  after(prefix: string): Frame {
    if (this.#last?.prefix === prefix) return this.#last.frame
    const known = this.#others?.get(prefix)
    if (known) return known
    const frame = new Frame(this.kind, [prefix, this.#bytes], this.timestampMs)
    if (this.#last) {
      this.#others ??= new Map()
      this.#others.set(this.#last.prefix, this.#last.frame)
    }
    this.#last = { prefix, frame }
    return frame
  }
}

/** Frames in a row: the last of them, and the run before it. */
export class FrameRun {
  readonly frame: Frame
  readonly before: FrameRun | undefined
  readonly byteLength: number
  /** How often it was written since somebody last counted; theirs to set. */
  unreportedWrites = 0
  #longer: FrameRun | undefined
  #bytes: Buffer | undefined

  constructor(frame: Frame, before?: FrameRun) {
    this.frame = frame
    this.before = before
    this.byteLength = frame.bytes.length + (before?.byteLength ?? 0)
  }

  /** This run and one more frame; the same run for whoever goes on with the same frame. */
  and(frame: Frame): FrameRun {
    if (this.#longer?.frame !== frame) this.#longer = new FrameRun(frame, this)
    return this.#longer
  }

  /** True until the bytes were asked for. */
  get isUnsent(): boolean {
    return this.#bytes === undefined
  }

  /** Joined once, however many sockets get them. */
  get bytes(): Buffer {
    this.#bytes ??= this.before === undefined ? this.frame.bytes : this.#join()
    return this.#bytes
  }

  #join(): Buffer {
    const bytes = Buffer.allocUnsafe(this.byteLength)
    let end = this.byteLength
    for (const { bytes: part } of this.frames()) {
      end -= part.length
      bytes.set(part, end)
    }
    return bytes
  }

  /** The newest first. */
  *frames(): Generator<Frame> {
    for (let run: FrameRun | undefined = this; run; run = run.before) yield run.frame
  }
}

/** Equal ones are the same string, so that they are compared by where they are: a fan-out compares them for every frame. */
const prefixes = new Map<string, string>()
const MAX_PREFIXES = 10_000

/** What a subscription's frames begin with. */
export function framePrefix(event: FrameKind, requestId: number | string): string {
  const prefix = `{"event":"${event}","request_id":${JSON.stringify(requestId)},"data":`
  const known = prefixes.get(prefix)
  if (known !== undefined) return known
  if (prefixes.size >= MAX_PREFIXES) prefixes.clear()
  prefixes.set(prefix, prefix)
  return prefix
}

function encodeText(payload: readonly (string | Buffer)[]): Buffer {
  const length = payload.reduce((sum, part) => sum + Buffer.byteLength(part), 0)
  const headerLength = length <= MAX_LENGTH_IN_7_BITS ? 2 : length <= 0xffff ? 4 : 10
  const bytes = Buffer.allocUnsafe(headerLength + length)
  bytes[0] = FINAL_TEXT
  if (headerLength === 2) {
    bytes[1] = length
  } else if (headerLength === 4) {
    bytes[1] = LENGTH_IN_16_BITS
    bytes.writeUInt16BE(length, 2)
  } else {
    bytes[1] = LENGTH_IN_64_BITS
    bytes.writeBigUInt64BE(BigInt(length), 2)
  }
  let offset = headerLength
  for (const part of payload) {
    offset += typeof part === 'string' ? bytes.write(part, offset) : part.copy(bytes, offset)
  }
  return bytes
}
