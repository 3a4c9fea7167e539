/**
 * The few types of AMQP 0-9-1 that publishing needs: numbers, short and long strings, and tables to write.
 *
 * Source: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, section 4.2
 */

export type TableValue = string | boolean | { readonly [key: string]: TableValue }
export type Table = Readonly<Record<string, TableValue>>

const MAX_SHORT_STRING_BYTES = 255

export function u8(value: number): Buffer {
  return Buffer.from([value])
}

export function u16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function u64(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

/** Whether AMQP has room for a name: an exchange, a routing key, an identity. */
export function isShortString(text: string): boolean {
  return Buffer.byteLength(text) <= MAX_SHORT_STRING_BYTES
}

/** Throws `RangeError` beyond 255 bytes. */
export function shortString(text: string): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length > MAX_SHORT_STRING_BYTES) throw new RangeError('a short string is too long')
  return Buffer.concat([u8(bytes.length), bytes])
}

export function longString(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([u32(bytes.length), bytes])
}

export function table(values: Table): Buffer {
  const fields = Object.entries(values).flatMap(([key, value]) => [shortString(key), tagged(value)])
  const bytes = Buffer.concat(fields)
  return Buffer.concat([u32(bytes.length), bytes])
}

function tagged(value: TableValue): Buffer {
  if (typeof value === 'string') return Buffer.concat([Buffer.from('S'), longString(value)])
  if (typeof value === 'boolean') return Buffer.concat([Buffer.from('t'), u8(value ? 1 : 0)])
  return Buffer.concat([Buffer.from('F'), table(value)])
}

/** Reads fields one after the other. Throws `RangeError` at the end of the bytes: what a peer wrote may be cut off. */
export class FieldReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  u8(): number {
    return this.#take(1).readUInt8()
  }

  u16(): number {
    return this.#take(2).readUInt16BE()
  }

  u32(): number {
    return this.#take(4).readUInt32BE()
  }

  /** As a number; beyond 2^53 it is not exact, and no such number is ever expected. */
  u64(): number {
    return Number(this.#take(8).readBigUInt64BE())
  }

  shortString(): string {
    return this.#take(this.u8()).toString('utf8')
  }

  longString(): string {
    return this.#take(this.u32()).toString('utf8')
  }

  /** n.b. what is in it is never needed, so it is not looked at: tables inside of tables cannot cost anything. */
  skipTable(): void {
    this.#take(this.u32())
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new RangeError('a frame is cut off')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}
