import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { queueArguments } from '../src/amqp/declaring.ts'
import { createTopology, type QueueSpec } from '../src/topology.ts'

const page = readFileSync(new URL('../../../docs/topology.md', import.meta.url), 'utf8')
const topology = createTopology()

/** Stands for `<delay>` in the code's own specifications. */
const DELAY_MS = 123_456
const added = [
  { ...topology.relayQueue(1), name: topology.relayQueue(1).name.replace(/1$/, '<partition>') },
  topology.handlerQueue('<name>'),
  topology.workerQueue('<name>'),
  topology.retryQueue(DELAY_MS),
  topology.parkingQueue('<name>'),
]

const asOnPage = (text: string | number | boolean): string =>
  String(text).replaceAll(String(DELAY_MS), '<delay>')

/** The cells of each row of the table under a heading, by what stands in backticks; a cell without any by its text. */
function tableUnder(heading: string): string[][][] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''
  const rows = section.split('\n').filter((line) => line.startsWith('|'))
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => {
        const spans = [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)
        return spans.length > 0 ? spans : [cell.trim()]
      }),
  )
}

function argumentsOf(queue: QueueSpec): string[] {
  return Object.entries(queueArguments(queue))
    .filter(([name]) => name !== 'x-queue-type')
    .map(([name, value]) => `${name}=${asOnPage(value)}`)
}

describe('docs/topology.md', () => {
  it('lists every exchange with its type, and no other', () => {
    const exchanges = [...topology.exchanges, ...added.flatMap(({ exchanges }) => exchanges)]
    const onPage = tableUnder('Exchanges').map(([name, type]) => [name?.[0], type?.[0]])
    expect(onPage).toEqual(exchanges.map(({ name, type }) => [asOnPage(name), type]))
  })

  it('lists every binding from exchange to exchange, alternates included, and no other', () => {
    const fixed = topology.exchanges.flatMap(({ name, bindings = [], alternateExchange }) => [
      ...bindings.map(({ exchange, routingKey }) => [exchange, routingKey, name]),
      ...(alternateExchange === undefined ? [] : [[name, 'alternate', alternateExchange]]),
    ])
    const account = topology.accountRoute('<account_key>')
    const slot = topology.slotRoute(3, 1)
    expect(tableUnder('To the relay').map((row) => row.slice(0, 3).map((cell) => cell[0]))).toEqual(
      [
        ...fixed,
        [account.exchange, account.routingKey, (account.to as { exchange: string }).exchange],
        [slot.exchange, Object.keys(slot.headers!)[0], `${topology.queue.edgeRelay}.<partition>`],
      ],
    )
  })

  it('lists every queue with its bindings and arguments, and no other', () => {
    const onPage = tableUnder('Queues').map(([name, bindings, args]) => ({
      name: name?.[0],
      boundTo: bindings?.join(' '),
      args: args?.toSorted(),
    }))
    expect(onPage).toEqual(
      [...topology.queues, ...added].map((queue) => ({
        name: asOnPage(queue.name),
        boundTo: queue.bindings
          .map(({ exchange, routingKey }) => `${asOnPage(exchange)} ${routingKey}`.trim())
          .join(' '),
        args: argumentsOf(queue).toSorted(),
      })),
    )
  })

  it('says what the bridge to Vumi Go adds', () => {
    const bridged = createTopology({ vumiBridge: true })
    const [vumi, ...others] = bridged.exchanges.slice(topology.exchanges.length)
    expect(others).toEqual([])
    const bound = [...bridged.queues, ...bridged.exchanges].filter(({ bindings = [] }) =>
      bindings.some(({ exchange }) => exchange === vumi?.name),
    )
    expect(tableUnder("Vumi Go's own events")).toEqual([
      [
        [vumi?.name],
        [vumi?.type],
        [bound[0]?.bindings?.at(-1)?.routingKey],
        bound.map(({ name }) => name),
      ],
    ])
  })
})

describe('createTopology', () => {
  it('puts every name but that of the bridge under the namespace', () => {
    const own = createTopology({ namespace: 'acme', vumiBridge: true })
    const names = [...own.exchanges, ...own.queues, own.handlerQueue('a'), own.retryQueue(1)].map(
      ({ name }) => name,
    )
    expect(names.filter((name) => !name.startsWith('acme.'))).toEqual(['vumi'])
  })
})
