import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readChains } from '../../src/chains/chain-files.ts'
import { InputError } from '../../src/failure.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'signalbox-chains-'))
})
afterAll(() => rm(folder, { recursive: true }))

const YAML = `
name: Thanks
trigger: {conversation_type: poll, event_type: poll_complete}
steps:
  - {id: note, handler: log, config: {message: on}}
`
const BODY = {
  name: 'Thanks',
  trigger: { conversation_type: 'poll', event_type: 'poll_complete' },
  steps: [{ id: 'note', handler: 'log', config: { message: 'on' } }],
}

async function read(files: Record<string, string>, stdin = '') {
  const paths: string[] = []
  for (const [name, text] of Object.entries(files)) {
    paths.push(name === '-' ? name : join(folder, name))
    if (name !== '-') await writeFile(join(folder, name), text)
  }
  const signal = new AbortController().signal
  return readChains(paths, { stdin: Readable.from([Buffer.from(stdin)]), signal })
}

test('a chain alone in its file is called as the file is, and has its defaults written out', async () => {
  const [written] = await read({ 'thanks.yaml': YAML })
  expect(written).toMatchObject({ chainId: 'thanks', chain: { ...BODY, enabled: true } })
  expect(written?.chain.steps[0]?.on_error).toBe('stop')
})

test('arrays, listings of the API and several YAML documents hold many', async () => {
  const two = [
    { chain_id: 'a', ...BODY },
    { chain_id: 'b', ...BODY, version: 3, updated_at: '2026-01-31T09:30:00.000Z' },
  ]
  const idsOf = async (files: Record<string, string>, stdin?: string) =>
    (await read(files, stdin)).map(({ chainId }) => chainId)
  expect(await idsOf({ 'two.json': JSON.stringify(two) })).toEqual(['a', 'b'])
  expect(await idsOf({ 'page.json': JSON.stringify({ items: two }) })).toEqual(['a', 'b'])
  const documents = `---\nchain_id: a\n${YAML}---\nchain_id: b\n${YAML}`
  expect(await idsOf({ '-': '' }, documents)).toEqual(['a', 'b'])
  expect(await idsOf({ '-': '' }, JSON.stringify(two[0]))).toEqual(['a'])
})

describe('what is wrong is told with its file and place, all at once', () => {
  const faultsOf = async (files: Record<string, string>, stdin = '') => {
    const error = await read(files, stdin).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(InputError)
    const { message, faults } = error as InputError
    return [message, ...faults.map(({ path, message }) => `${path} ${message}`)]
      .join('\n')
      .replaceAll(`${folder}/`, '')
  }

  test('faults of chains', async () => {
    const bad = JSON.stringify([
      { chain_id: 'a', ...BODY, stepz: [] },
      { ...BODY },
      { chain_id: 'x', ...BODY },
      { chain_id: 'x', ...BODY },
    ])
    const found = await faultsOf({ 'bad.json': bad, 'no name.yaml': YAML })
    expect(found.split('\n')).toEqual([
      'nothing was sent: the chains are not valid',
      'bad.json[0]: stepz is not a known field',
      'bad.json[1]: chain_id is required',
      `no name.yaml: chain_id is required: the file's name "no name" cannot be one`,
      'bad.json[3] has the chain_id "x" as bad.json[2] has',
    ])
  })

  test.each<[string, Record<string, string>, string | RegExp]>([
    ['no JSON', { 'a.json': '{"a": }' }, /^a\.json is not JSON: /],
    ['no YAML', { 'a.yaml': 'a: [1' }, /^a\.yaml is not YAML: /],
    ['a key that comes twice', { 'a.yaml': 'a: 1\na: 2' }, /^a\.yaml is not YAML: .*unique/],
    ['a tag', { 'a.yaml': 'a: !!js/function x' }, /^a\.yaml is not YAML: /],
    ['an empty file', { 'a.yaml': '' }, 'a.yaml is empty'],
  ])('%s', async (_name, files, message) => {
    expect(await faultsOf(files)).toMatch(message)
  })

  test('a file that is not there', async () => {
    const deps = { stdin: Readable.from([]), signal: new AbortController().signal }
    await expect(readChains([join(folder, 'none.yaml')], deps)).rejects.toThrow(
      /none\.yaml cannot be read \(ENOENT\)/,
    )
  })

  test('aliases that would multiply beyond measure', async () => {
    const level = (name: string, of: string) => `${name}: [${Array(20).fill(`*${of}`).join(', ')}]`
    const bomb = `a: &a [1]\nb: &b\n  ${level('x', 'a')}\nc: &c\n  ${level('x', 'b')}\nd:\n  ${level('x', 'c')}\n`
    expect(await faultsOf({ 'bomb.yaml': bomb })).toMatch(/bomb\.yaml cannot be read: .*alias/i)
  })
})
