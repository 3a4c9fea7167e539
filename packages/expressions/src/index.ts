/** Conditions and templates over an event: CEL and `${{ … }}`. See docs/expressions.md. */

export { type Condition, compileCondition } from './condition.ts'
export type { Scope } from './expression.ts'
export type { Reference } from './references.ts'
export { compileTemplate, type Template } from './template.ts'
