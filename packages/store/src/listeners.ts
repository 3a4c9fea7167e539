/** Telling listeners: one that throws keeps nobody else from hearing. */
import type { Log } from '@signalbox/kit'

export function notify<Message>(
  listeners: Iterable<(message: Message) => void>,
  message: Message,
  log: Log,
): void {
  for (const listener of [...listeners]) {
    try {
      listener(message)
    } catch (err) {
      log.error({ err }, 'store.listener_failed')
    }
  }
}
