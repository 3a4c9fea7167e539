/** What frames say: a reader of a server's frames, made from the RFC and not from the code under test. */
import type { Frame } from '../src/frame.ts'

/** The texts of the frames in `bytes`, which must be whole and text. Source: https://www.rfc-editor.org/rfc/rfc6455#section-5.2 */
export function textsOf(bytes: Buffer): string[] {
  const texts: string[] = []
  for (let offset = 0; offset < bytes.length; ) {
    if (bytes.readUInt8(offset) !== 0x81) throw new Error(`no final text frame at ${offset}`)
    let length = bytes.readUInt8(offset + 1)
    offset += 2
    if (length === 126) {
      length = bytes.readUInt16BE(offset)
      offset += 2
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(offset))
      offset += 8
    }
    if (offset + length > bytes.length) throw new Error('the last frame is cut off')
    texts.push(bytes.toString('utf8', offset, offset + length))
    offset += length
  }
  return texts
}

export function textOf(frame: Frame): string {
  const [text, ...others] = textsOf(frame.bytes)
  if (text === undefined || others.length > 0) throw new Error('not one frame')
  return text
}
