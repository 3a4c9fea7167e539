/** `signalbox loadtest`: reads its options, shows how far it is, and writes the reports. */
import { writeFile } from 'node:fs/promises'
import { loadtestPlanOf } from './options.ts'
import { reportHtml } from './report-html.ts'
import { reportText } from './report-text.ts'
import { type Progress, runLoadtest } from './run.ts'
import { LOADTEST_USAGE } from './usage.ts'

/** Where there is no terminal to rewrite a line on. */
const LINE_EVERY_MS = 5_000

export interface LoadtestDeps {
  env: Readonly<Record<string, string | undefined>>
  stdout: { write(text: string): unknown }
  stderr: { write(text: string): unknown; isTTY?: boolean }
  /** Ctrl-C: ends the load; the report is of what was published by then. */
  signal: AbortSignal
}

/** Resolves with the exit code. Throws `UsageError`, and whatever kept the run from being prepared. */
export async function loadtest(args: readonly string[], deps: LoadtestDeps): Promise<number> {
  const { stdout, stderr, env, signal } = deps
  const plan = loadtestPlanOf(args, env)
  if (!plan) {
    stdout.write(`${LOADTEST_USAGE}\n`)
    return 0
  }
  const showProgress = stderr.isTTY ? rewritten(stderr) : inLines(LINE_EVERY_MS, stderr)
  const report = await runLoadtest(plan, {
    signal,
    tell: (news) => stderr.write(`${news}\n`),
    onProgress: (progress) => showProgress(progressText(progress)),
  })
  if (stderr.isTTY) stderr.write('\r\u001b[K')
  stdout.write(`${reportText(report)}\n`)
  const { htmlFile, jsonFile } = plan
  if (htmlFile !== undefined) await writeFile(htmlFile, reportHtml(report))
  if (jsonFile !== undefined) await writeFile(jsonFile, `${JSON.stringify(report, undefined, 2)}\n`)
  return report.verdict.length === 0 ? 0 : 1
}

function progressText({ elapsedMs, accounting }: Progress): string {
  const { confirmedCount, handledCount, shownCount, pending } = accounting
  const seconds = Math.max(0, elapsedMs / 1_000).toFixed(0)
  return `${seconds} s: ${confirmedCount} confirmed, ${pending} awaiting confirms, ${handledCount} handled, ${shownCount} shown`
}

function rewritten(stderr: LoadtestDeps['stderr']) {
  return (text: string) => void stderr.write(`\r\u001b[K${text}`)
}

/** At most one line per `everyMs`. */
function inLines(everyMs: number, stderr: LoadtestDeps['stderr']) {
  let lastMs = Number.NEGATIVE_INFINITY
  return (text: string) => {
    if (performance.now() - lastMs < everyMs) return
    lastMs = performance.now()
    stderr.write(`${text}\n`)
  }
}
