/**
 * From a checked syntax tree to a program: one closure per node. Every node costs a step, and every element that a macro
 * visits runs at least one, so whatever an expression does ends within its budget.
 *
 * `&&`, `||`, `exists` and `all` absorb errors as CEL says: an error counts only when the other operands do not decide.
 */
import type { Budget } from './budget.ts'
import { Fault } from './fault.ts'
import { type Callable, FUNCTIONS, indexOf, METHODS, patternOf } from './functions.ts'
import { attempt, itemsOf, MACROS, truth } from './macros.ts'
import { BINARY, negate } from './operators.ts'
import type { ASTNode } from './syntax.ts'
import { article, CelType, isMap, type Value } from './value.ts'

export interface Frame {
  readonly budget: Budget
  /** Roots and the variables of macros. */
  readonly variables: ReadonlyMap<string, Value>
}

export type Program = (frame: Frame) => Value

const TYPE_NAMES = new Set(['bool', 'double', 'int', 'list', 'map', 'null_type', 'string', 'type'])

/** Throws a `Fault` on what parses but does not exist here. `bound`: the variables in scope, roots included. */
export function compile(node: ASTNode, bound: ReadonlySet<string>): Program {
  const run = compileNode(node, bound)
  const position = node.pos
  return (frame) => {
    try {
      frame.budget.spend(1)
      return run(frame)
    } catch (error) {
      if (error instanceof Fault) error.position ??= position
      throw error
    }
  }
}

function compileNode(node: ASTNode, bound: ReadonlySet<string>): Program {
  switch (node.op) {
    case 'value':
      return compileLiteral(node)
    case 'id':
      return compileName(node.args, node, bound)
    case '.': {
      const [target, key] = node.args
      const read = compile(target, bound)
      return (frame) => field(read(frame), key, target)
    }
    case '[]':
      return compileIndex(node.args, bound)
    case 'list': {
      const items = node.args.map((item) => compile(item, bound))
      return (frame) => items.map((item) => item(frame))
    }
    case 'map':
      return compileMap(node.args, bound)
    case '?:': {
      const [condition, then, otherwise] = compileAll(node.args, bound)
      return (frame) => (truth(condition!(frame), 'a condition') ? then!(frame) : otherwise!(frame))
    }
    case '&&':
      return compileLogical(node.args, bound, { decidedBy: false })
    case '||':
      return compileLogical(node.args, bound, { decidedBy: true })
    case '!_': {
      const operand = compile(node.args, bound)
      return (frame) => !truth(operand(frame), '"!"')
    }
    case '-_': {
      const operand = compile(node.args, bound)
      return (frame) => negate(operand(frame))
    }
    case 'call':
      return compileCall(node, node.args[0], node.args[1], bound)
    case 'rcall':
      return compileMethod(node, node.args, bound)
    case '.?':
    case '[?]':
      throw new Fault('optional access is not available', { position: node.pos })
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case '==':
    case '!=':
    case 'in': {
      const operate = BINARY[node.op]
      const [left, right] = compileAll(node.args, bound)
      return (frame) => operate(left!(frame), right!(frame), frame.budget)
    }
  }
}

function compileAll(nodes: readonly ASTNode[], bound: ReadonlySet<string>): Program[] {
  return nodes.map((node) => compile(node, bound))
}

function compileLiteral(node: ASTNode & { op: 'value' }): Program {
  const value = node.args
  if (typeof value === 'object' && value !== null) {
    const kind = value instanceof Uint8Array ? 'bytes are' : 'unsigned ints are'
    throw new Fault(`${kind} not available`, { position: node.pos })
  }
  return () => value
}

function compileName(name: string, node: ASTNode, bound: ReadonlySet<string>): Program {
  if (bound.has(name)) return (frame) => frame.variables.get(name) ?? null
  if (TYPE_NAMES.has(name)) {
    const type = new CelType(name)
    return () => type
  }
  throw new Fault(`unknown variable: ${name}`, { position: node.pos })
}

function compileIndex(
  [target, index]: readonly [ASTNode, ASTNode],
  bound: ReadonlySet<string>,
): Program {
  const read = compile(target, bound)
  const at = compile(index, bound)
  return (frame) => {
    const value = read(frame)
    const key = at(frame)
    if (!Array.isArray(value)) {
      if (typeof key === 'string') return field(value, key, target)
      throw new Fault(`${source(target)} is ${article(value)} and has no index`)
    }
    const position = indexOf(key)
    const item = value[position]
    if (item !== undefined) return item
    throw new Fault(`${source(target)} has ${value.length} items and none at index ${position}`)
  }
}

function compileMap(entries: readonly [ASTNode, ASTNode][], bound: ReadonlySet<string>): Program {
  const compiled = entries.map((entry) => compileAll(entry, bound))
  return (frame) =>
    // n.b. fromEntries defines `__proto__` as a plain key; assignment would set the prototype.
    Object.fromEntries(
      compiled.map(([key, value]) => {
        const name = key!(frame)
        if (typeof name !== 'string') {
          throw new Fault(`the keys of a map must be strings, not ${article(name)}`)
        }
        return [name, value!(frame)]
      }),
    )
}

function compileLogical(
  operands: readonly ASTNode[],
  bound: ReadonlySet<string>,
  { decidedBy }: { decidedBy: boolean },
): Program {
  const [left, right] = compileAll(operands, bound)
  const name = decidedBy ? '"||"' : '"&&"'
  return (frame) => {
    const first = attempt(frame.budget, () => truth(left!(frame), name))
    if (first === decidedBy) return decidedBy
    const second = truth(right!(frame), name)
    if (second === decidedBy || typeof first === 'boolean') return second
    throw first
  }
}

function compileCall(
  node: ASTNode,
  name: string,
  args: readonly ASTNode[],
  bound: ReadonlySet<string>,
): Program {
  if (name === 'has') return compileHas(args[0]!, bound)
  return invoke(FUNCTIONS[`${name}/${args.length}`], name, node, compileAll(args, bound))
}

function compileMethod(
  node: ASTNode,
  [name, receiver, args]: readonly [string, ASTNode, readonly ASTNode[]],
  bound: ReadonlySet<string>,
): Program {
  if (receiver.op === 'id' && receiver.args === 'cel' && name === 'bind') {
    const variable = variableOf(args[0]!)
    const value = compile(args[1]!, bound)
    const body = compile(args[2]!, new Set([...bound, variable]))
    return (frame) => body(extended(frame, variable, value(frame)))
  }
  const macro = MACROS[`${name}/${args.length}`]
  if (macro) {
    const variable = variableOf(args[0]!)
    const range = compile(receiver, bound)
    const [body, transform] = compileAll(args.slice(1), new Set([...bound, variable]))
    return (frame) => {
      const items = itemsOf(range(frame), name, frame.budget)
      return macro(items, frame.budget, (item, which) =>
        (which === 'transform' ? transform! : body!)(extended(frame, variable, item)),
      )
    }
  }
  if (name === 'matches' && args[0]) checkPattern(args[0])
  return invoke(
    METHODS[`${name}/${args.length}`],
    name,
    node,
    compileAll([receiver, ...args], bound),
  )
}

function invoke(
  callable: Callable | undefined,
  name: string,
  node: ASTNode,
  args: readonly Program[],
): Program {
  if (!callable) throw new Fault(`there is no function ${name}()`, { position: node.pos })
  return (frame) =>
    callable(
      args.map((arg) => arg(frame)),
      frame.budget,
    )
}

/** A literal, so that a chain with a bad pattern cannot be saved, and no pattern is compiled once per list item. */
function checkPattern(node: ASTNode): void {
  if (node.op !== 'value' || typeof node.args !== 'string') {
    throw new Fault('the pattern of matches() must be a literal', { position: node.pos })
  }
  patternOf(node.args, node.pos)
}

/** False when any part of the path is absent, so that `has(results.contact.msisdn)` asks about a step that was skipped, too. */
function compileHas(path: ASTNode, bound: ReadonlySet<string>): Program {
  const keys: string[] = []
  let root = path
  while (root.op === '.') {
    keys.unshift(root.args[1])
    root = root.args[0]
  }
  const read = compile(root, bound)
  return (frame) => {
    let value = read(frame)
    for (const key of keys) {
      if (!isMap(value) || !Object.hasOwn(value, key)) return false
      value = value[key]!
    }
    return true
  }
}

function extended({ budget, variables }: Frame, name: string, value: Value): Frame {
  return { budget, variables: new Map(variables).set(name, value) }
}

function variableOf(node: ASTNode): string {
  if (node.op === 'id') return node.args
  throw new Fault('the first argument must be the name of a variable', { position: node.pos })
}

/** Own fields only: `constructor` and its like are absent unless the data has them. */
function field(value: Value, key: string, target: ASTNode): Value {
  if (isMap(value)) {
    if (Object.hasOwn(value, key)) return value[key]!
    throw new Fault(`${source(target)} has no field "${key}"; has() asks whether it is there`)
  }
  throw new Fault(`${source(target)} is ${article(value)} and has no field "${key}"`)
}

/** The text of a node, for messages. */
function source(node: ASTNode): string {
  return node.input.slice(node.start, node.end)
}
