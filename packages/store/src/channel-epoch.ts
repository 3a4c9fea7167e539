/** Epochs: names of a channel's lives. */
import { randomBytes } from 'node:crypto'

const EPOCH_BYTES = 9

/** 12 characters of `A-Za-z0-9_-`; one that nobody has had. */
export function newEpoch(): string {
  return randomBytes(EPOCH_BYTES).toString('base64url')
}
