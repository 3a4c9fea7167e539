/**
 * The chain check: what is wrong with a chain is said when it is saved, with the path to it, not when an event arrives.
 *
 * The shape was checked by the schema before. Here: step ids are unique, handlers are known, configs fit the handlers' schemas,
 * expressions compile, and nothing refers to a step that has not run by then.
 */
import type { CatalogEntry, Chain, FieldError, Step } from '@signalbox/contracts'
import { compileCondition, compileTemplate } from '@signalbox/expressions'
import { AppError } from '@signalbox/kit'
import { configErrors } from './config-schema.ts'

/** Every fault, in reading order; empty when the chain is fine. */
export function checkChain(chain: Chain, catalog: readonly CatalogEntry[]): FieldError[] {
  const errors: FieldError[] = []
  const entries = new Map(catalog.map((entry) => [entry.name, entry]))
  const seen = new Map<string, string>()

  const triggerWhen = 'default' in chain.trigger ? undefined : chain.trigger.when
  if (triggerWhen !== undefined) {
    errors.push(
      ...checkExpression(() => compileCondition(triggerWhen), 'trigger.when', [], ['event']),
    )
  }
  checkSteps(chain.steps, 'steps', [])
  return errors

  function checkSteps(steps: readonly Step[], path: string, before: readonly string[]): void {
    const earlier = [...before]
    steps.forEach((step, index) => {
      const at = `${path}[${index}]`
      const sameId = seen.get(step.id)
      if (sameId !== undefined) {
        errors.push({
          path: `${at}.id`,
          message: `"${step.id}" is the id of ${sameId} too; ids are unique in a chain`,
        })
      }
      seen.set(step.id, sameId ?? at)
      checkStep(step, at, earlier)
      earlier.push(step.id)
      if (typeof step.on_error === 'object')
        checkSteps(step.on_error.steps, `${at}.on_error.steps`, earlier)
    })
  }

  function checkStep(step: Step, at: string, earlier: readonly string[]): void {
    if (step.when !== undefined) {
      errors.push(...checkExpression(() => compileCondition(step.when!), `${at}.when`, earlier))
    }
    const templateErrors = checkExpression(
      () => compileTemplate(step.config),
      `${at}.config`,
      earlier,
    )
    errors.push(...templateErrors)

    const entry = entries.get(step.handler)
    if (!entry) {
      errors.push({
        path: `${at}.handler`,
        message: unknownHandler(step.handler, [...entries.keys()]),
      })
    } else if (templateErrors.length === 0) {
      errors.push(...configErrors(entry.config_schema, step.config, `${at}.config`))
    }
  }
}

interface Compiled {
  readonly references: readonly (readonly string[])[]
}

/** Compiles, and looks at what the expression refers to: roots that exist here and steps that have run by then. */
function checkExpression(
  compile: () => Compiled,
  path: string,
  earlierSteps: readonly string[],
  roots: readonly string[] = ['event', 'results', 'error'],
): FieldError[] {
  let compiled: Compiled
  try {
    compiled = compile()
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    if (error.details.length === 0) return [{ path, message: error.message }]
    return error.details.map((detail) => ({
      path: join(path, detail.path),
      message: detail.message,
    }))
  }
  const errors = new Map<string, FieldError>()
  for (const [root, stepId] of compiled.references) {
    if (root !== undefined && !roots.includes(root)) {
      errors.set(root, {
        path,
        message: `${root} is not available here; a trigger sees the event only`,
      })
    } else if (root === 'results' && stepId !== undefined && !earlierSteps.includes(stepId)) {
      errors.set(stepId, {
        path,
        message: `results.${stepId}: no step "${stepId}" runs before this one`,
      })
    }
  }
  return [...errors.values()]
}

function unknownHandler(name: string, known: readonly string[]): string {
  const list =
    known.length === 0
      ? 'none is known: is a handler worker running?'
      : `known are: ${known.toSorted().slice(0, 20).join(', ')}`
  return `there is no handler "${name}"; ${list}`
}

function join(base: string, rest: string): string {
  if (rest === '') return base
  return rest.startsWith('[') ? `${base}${rest}` : `${base}.${rest}`
}
