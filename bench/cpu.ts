/** What this process and those it started have used of the CPU, by name, from /proc (Linux). */
import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'

const MS_PER_TICK = 10

/** Milliseconds of CPU since each process began, summed by name; absent where there is no /proc. */
export type CpuTimes = ReadonlyMap<string, number>

export function cpuTimes(): CpuTimes {
  const processes = readProcesses()
  const own = new Set([process.pid])
  // n.b. a child may have a lower pid than its parent, so one pass does not do.
  for (let size = 0; size !== own.size; ) {
    size = own.size
    for (const { pid, parent } of processes) if (own.has(parent)) own.add(pid)
  }
  const times = new Map<string, number>()
  for (const { pid, name, cpuMs } of processes) {
    if (own.has(pid)) times.set(name, (times.get(name) ?? 0) + cpuMs)
  }
  return times
}

/** Milliseconds of CPU from one reading to the next, the largest first. */
export function cpuBetween(before: CpuTimes, after: CpuTimes): [name: string, cpuMs: number][] {
  return [...after]
    .map(([name, cpuMs]): [string, number] => [name, cpuMs - (before.get(name) ?? 0)])
    .filter(([, cpuMs]) => cpuMs > 0)
    .sort(([, a], [, b]) => b - a)
}

function readProcesses() {
  return directories('/proc').flatMap((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const cpuMs = (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK
      return [{ pid: Number(pid), parent: Number(fields[1]), name: nameOf(pid), cpuMs }]
    } catch {
      return [] // It has ended meanwhile.
    }
  })
}

function directories(path: string): string[] {
  try {
    return readdirSync(path).filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}

/** `dispatcher` of `node services/dispatcher/src/main.ts`; else the program. */
function nameOf(pid: string): string {
  const [program = '', script = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  const service = /services\/([^/]+)\//.exec(script)?.[1]
  if (service !== undefined) return service
  return basename(program).startsWith('node') ? basename(script, '.ts') : basename(program)
}
