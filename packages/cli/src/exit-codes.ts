/** How the command ends, for scripts (docs/cli.md). */
export const EXIT = {
  done: 0,
  /** The answer is no: chains differ, an event was not taken, a rule or a load failed. */
  failed: 1,
  /** The command line, the configuration or a file is wrong; nothing was sent. */
  misuse: 2,
  /** Signalbox answered that it may not or cannot be; the same again will fare no better. */
  refused: 3,
  /** Signalbox cannot be reached, or cannot do it now; the same may succeed later. */
  unreachable: 4,
} as const
