/**
 * The delays that a retry can have. Each is a queue of its own at the broker, so there are as few as keep every delay near what was
 * asked for: whatever it is, it is rounded up by less than a third.
 */
const SECOND_MS = 1_000

/** Ascending, in milliseconds: 1 s to 24 h, each at most 4/3 of the one before. */
export const RETRY_DELAYS_MS: readonly number[] = [
  1, 1.3, 1.7, 2.2, 2.9, 3.8, 5, 6.5, 8, 10, 12.5, 16, 20, 25, 30, 38, 48, 60, 80, 100, 130, 170,
  225, 300, 390, 500, 650, 840, 1_080, 1_400, 1_800, 2_300, 2_900, 3_600, 4_700, 6_000, 7_200,
  9_300, 12_000, 15_000, 18_000, 22_000, 28_000, 36_000, 43_200, 50_400, 61_200, 72_000, 86_400,
].map((seconds) => seconds * SECOND_MS)

/** The shortest delay that is at least `delayMs`; beyond the longest, the longest. */
export function retryDelayAtLeast(delayMs: number): number {
  return RETRY_DELAYS_MS.find((candidate) => candidate >= delayMs) ?? RETRY_DELAYS_MS.at(-1)!
}
