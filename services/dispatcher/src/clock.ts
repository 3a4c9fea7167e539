/** The time as the biography tells it. Many facts of one millisecond share a text. */

let latestMs = 0
let latestText = ''

/** RFC 3339, UTC, milliseconds; of now unless another time is given. */
export function timestampOf(timeMs: number = Date.now()): string {
  if (timeMs !== latestMs) {
    latestText = new Date(timeMs).toISOString()
    latestMs = timeMs
  }
  return latestText
}
