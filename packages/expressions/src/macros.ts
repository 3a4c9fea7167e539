/** The macros, and the logic of errors that they share with `&&` and `||`. */
import type { Budget } from './budget.ts'
import { Fault } from './fault.ts'
import { keysOf } from './functions.ts'
import { article, isMap, type Value } from './value.ts'

/** Making and unwinding an error costs as much as this many nodes. */
const STEPS_OF_ABSORBING = 25

/** `run` evaluates the body, or the transformation of the longer `map`, for an item. */
export type Macro = (
  items: readonly Value[],
  budget: Budget,
  run: (item: Value, which?: 'transform') => Value,
) => Value

/** By `name/arguments`. */
export const MACROS: Readonly<Record<string, Macro>> = {
  'all/2': (items, budget, run) =>
    quantify(items, budget, run, { decidedBy: false, name: 'all()' }),
  'exists/2': (items, budget, run) =>
    quantify(items, budget, run, { decidedBy: true, name: 'exists()' }),
  'exists_one/2': (items, _budget, run) =>
    items.filter((item) => truth(run(item), 'exists_one()')).length === 1,
  'filter/2': (items, _budget, run) => items.filter((item) => truth(run(item), 'filter()')),
  'map/2': (items, _budget, run) => items.map((item) => run(item)),
  'map/3': (items, _budget, run) =>
    items.filter((item) => truth(run(item), 'map()')).map((item) => run(item, 'transform')),
}

function quantify(
  items: readonly Value[],
  budget: Budget,
  run: (item: Value) => Value,
  { decidedBy, name }: { decidedBy: boolean; name: string },
): boolean {
  let failure: Fault | undefined
  for (const item of items) {
    const outcome = attempt(budget, () => truth(run(item), name))
    if (outcome === decidedBy) return decidedBy
    if (typeof outcome !== 'boolean') failure ??= outcome
  }
  if (failure) throw failure
  return !decidedBy
}

/** What a macro goes through: the items of a list, the keys of a map. Throws a `Fault` for others. */
export function itemsOf(range: Value, macro: string, budget: Budget): readonly Value[] {
  if (Array.isArray(range)) return range
  if (isMap(range)) return keysOf(range, budget)
  throw new Fault(`${macro}() needs a list or a map, not ${article(range)}`)
}

export function truth(value: Value, what: string): boolean {
  if (typeof value === 'boolean') return value
  throw new Fault(`${what} needs a bool, not ${article(value)}`)
}

/** The outcome, or the fault that another operand may yet make irrelevant. */
export function attempt(budget: Budget, run: () => boolean): boolean | Fault {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof Fault) || error.isFinal) throw error
    budget.spend(STEPS_OF_ABSORBING)
    return error
  }
}
