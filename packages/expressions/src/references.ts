/** The static paths that an expression reads: `['results', 'contact', 'msisdn']`. */
import { MACROS } from './macros.ts'
import { type ASTNode, ROOTS } from './syntax.ts'

export type Reference = readonly string[]

/** In order of appearance, each once; of each path the part that is known without evaluating. */
export function referencesOf(ast: ASTNode): Reference[] {
  const found = collect(ast, new Set())
  return [...new Map(found.map((path) => [JSON.stringify(path), path])).values()]
}

/** `bound`: the variables of macros, which hide a root of the same name. */
function collect(node: ASTNode, bound: ReadonlySet<string>): Reference[] {
  const path = pathOf(node, bound)
  if (path) return [path]
  if (node.op === 'rcall') return collectFromMethod(node.args, bound)
  return childrenOf(node).flatMap((child) => collect(child, bound))
}

function collectFromMethod(
  [name, receiver, args]: readonly [string, ASTNode, readonly ASTNode[]],
  bound: ReadonlySet<string>,
): Reference[] {
  const [first, ...rest] = args
  const outer = collect(receiver, bound)
  const isMacro = MACROS[`${name}/${args.length}`] !== undefined
  if (first?.op !== 'id' || !(isMacro || name === 'bind')) {
    return [...outer, ...args.flatMap((arg) => collect(arg, bound))]
  }
  const inner = new Set([...bound, first.args])
  if (isMacro) return [...outer, ...rest.flatMap((arg) => collect(arg, inner))]
  const [value, ...body] = rest
  return [
    ...outer,
    ...(value ? collect(value, bound) : []),
    ...body.flatMap((arg) => collect(arg, inner)),
  ]
}

function childrenOf(node: ASTNode): readonly ASTNode[] {
  if (node.op === 'value' || node.op === 'id') return []
  if (node.op === '.' || node.op === '.?') return [node.args[0]]
  if (node.op === '!_' || node.op === '-_') return [node.args]
  if (node.op === 'call') return node.args[1]
  if (node.op === 'rcall') return [node.args[1], ...node.args[2]]
  return node.op === 'map' ? node.args.flat() : node.args
}

function pathOf(node: ASTNode, bound: ReadonlySet<string>): Reference | undefined {
  if (node.op === 'id') {
    const isRoot = ROOTS.some((root) => root === node.args) && !bound.has(node.args)
    return isRoot ? [node.args] : undefined
  }
  if (node.op === '.') {
    const base = pathOf(node.args[0], bound)
    return base && [...base, node.args[1]]
  }
  if (node.op !== '[]') return undefined
  const [target, index] = node.args
  const base = pathOf(target, bound)
  const isKey = index.op === 'value' && typeof index.args === 'string'
  return base && isKey ? [...base, String(index.args)] : undefined
}
