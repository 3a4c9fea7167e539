/** docs/configuration.md, from the schemas that the processes parse their environment with. */
import { z } from 'zod'
import { config as api } from '../../services/api/src/config.ts'
import { config as callbacks } from '../../services/callbacks/src/config.ts'
import { config as dispatcher } from '../../services/dispatcher/src/config.ts'
import { config as edge } from '../../services/edge/src/config.ts'
import { config as handlers } from '../../services/handlers/src/config.ts'
import { config as standalone } from '../../services/standalone/src/config.ts'
import { config as survey } from '../../services/survey/src/config.ts'

/** Every process with a configuration of its own. `standalone` stands apart: nearly all of its is optional. */
export const SERVICES = { api, callbacks, dispatcher, edge, handlers, survey }
const PROCESSES = { ...SERVICES, standalone }

interface Variable {
  name: string
  description: string
  /** As the table shows it: the default, `required`, or nothing. */
  absent: string
  values: string
}

const INTRODUCTION = `# Configuration

Every process reads its configuration from its environment, once, at its start. An empty variable counts as absent. A bad value
stops the start with the name of the variable and what is wrong; values are never shown. This page is generated from the
schemas by \`npm run docs\`.`

export function configurationPage(): string {
  const variables = Object.fromEntries(
    Object.entries(PROCESSES).map(([name, config]) => [name, variablesOf(config)]),
  )
  const [first = [], ...others] = Object.keys(SERVICES).map((name) => variables[name] ?? [])
  const common = first.filter((variable) => others.every((list) => includes(list, variable)))

  const sections = Object.entries(variables).map(([name, list]) => {
    const own = name in SERVICES ? list.filter((variable) => !includes(common, variable)) : list
    return `## ${name}\n\n${table(own)}`
  })
  return [
    INTRODUCTION,
    `## ${Object.keys(SERVICES).join(', ')}\n\nWhat each of them reads; below, what is its own.\n\n${table(common)}`,
    ...sections,
  ]
    .join('\n\n')
    .concat('\n')
}

function variablesOf(config: z.ZodObject): Variable[] {
  // n.b. the output says more of a switch than the text that goes in; the input says what has to be there.
  const schema = z.toJSONSchema(config, { io: 'output', unrepresentable: 'any' })
  const { required } = z.toJSONSchema(config, { io: 'input', unrepresentable: 'any' })
  return Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const field = typeof property === 'object' ? resolved(property, schema) : {}
    const description = field.description
    if (!description) throw new Error(`${name} has no description in its schema`)
    return {
      name,
      description,
      absent: absence(field.default, required?.includes(name) ?? false),
      values: valuesOf(field),
    }
  })
}

/** What a reference to a named schema stands for, with what is said beside it. */
function resolved(property: z.core.JSONSchema.BaseSchema, root: z.core.JSONSchema.BaseSchema) {
  const target = root.$defs?.[property.$ref?.replace('#/$defs/', '') ?? '']
  return target ? { ...target, ...property } : property
}

function absence(defaultValue: unknown, isRequired: boolean): string {
  if (isRequired) return 'required'
  return defaultValue === undefined ? '' : `\`${String(defaultValue)}\``
}

function valuesOf(field: z.core.JSONSchema.BaseSchema): string {
  if (field.enum) return field.enum.map((value) => `\`${value}\``).join(' ')
  if (typeof field.default === 'boolean') return '`true` `false`'
  if (field.type === 'integer' || field.type === 'number') {
    return `${number(field.minimum)} to ${number(field.maximum)}`
  }
  return field.minLength === undefined ? '' : `at least ${field.minLength} characters`
}

function number(value: number | undefined): string {
  return value === undefined ? '…' : value.toLocaleString('en-US')
}

function includes(list: readonly Variable[], wanted: Variable): boolean {
  return list.some((variable) => JSON.stringify(variable) === JSON.stringify(wanted))
}

function table(variables: readonly Variable[]): string {
  const rows = variables
    .toSorted((a, b) => Number(b.absent === 'required') - Number(a.absent === 'required'))
    .map(({ name, description, absent, values }) => [`\`${name}\``, description, values, absent])
  return aligned([['variable', 'is', 'values', 'default'], ...rows])
}

/** A Markdown table with columns of one width, as the formatter leaves it. */
function aligned(rows: readonly (readonly string[])[]): string {
  const escaped = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = escaped[0]!.map((_, column) =>
    Math.max(...escaped.map((row) => row[column]!.length)),
  )
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const [head, ...body] = escaped.map((row) =>
    line(row.map((cell, column) => cell.padEnd(widths[column]!))),
  )
  return [head, line(widths.map((width) => '-'.repeat(width))), ...body].join('\n')
}
