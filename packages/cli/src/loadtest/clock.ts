/** Unix time in milliseconds with fractions, the same in all processes of this machine. */
export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now()
}
