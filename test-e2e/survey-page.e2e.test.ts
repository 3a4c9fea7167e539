/** The survey's page in a real browser, on everything in one process: what a person does, and what they see come of it. */
import { freePort, startProcess, type TestProcess } from '@signalbox/testkit'
import type { Browser, Page, WebSocketRoute } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { launchChromium } from './chromium.ts'

const WAIT_MS = 15_000

let standalone: TestProcess | undefined
let browser: Browser | undefined
let surveyUrl: string
/** Uncaught errors and violations of the content security policy in any page of the present test. */
let faults: string[]

beforeAll(async () => {
  const [api, edge, survey] = await Promise.all([freePort(), freePort(), freePort()])
  surveyUrl = `http://127.0.0.1:${survey}`
  standalone = await startProcess({
    name: 'standalone',
    entry: 'services/standalone/src/main.ts',
    env: {
      HOST: '127.0.0.1',
      API_PORT: String(api),
      EDGE_PORT: String(edge),
      SURVEY_PORT: String(survey),
      LOG_LEVEL: 'warn',
    },
  })
  await standalone.waitForReady(surveyUrl)
  browser = await launchChromium()
})
afterAll(async () => {
  await browser?.close()
  await standalone?.[Symbol.asyncDispose]()
})
beforeEach(() => {
  faults = []
})

/** A person's own browser, with the page open. */
async function openPage(
  beforeLoading: (page: Page) => Promise<void> = async () => {},
): Promise<Page & AsyncDisposable> {
  const context = await browser!.newContext({ reducedMotion: 'reduce' })
  const page = await context.newPage()
  page.setDefaultTimeout(WAIT_MS)
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) faults.push(message.text())
  })
  await beforeLoading(page)
  await page.goto(surveyUrl)
  return Object.assign(page, { [Symbol.asyncDispose]: () => context.close() })
}

const flowIs = (page: Page, state: string) => page.locator(`#flow[data-state="${state}"]`).waitFor()
const stepIs = (page: Page, step: string, state: string) =>
  page.locator(`#steps li[data-id$=".${step}"][data-state="${state}"]`).waitFor()
const connectionIs = (page: Page, state: string) =>
  page.locator(`#connection[data-state="${state}"]`).waitFor()
const questionIs = (page: Page, text: string) =>
  page.getByRole('heading', { level: 1, name: text }).waitFor()

/** State changes as the page received them, oldest first: `name active`. */
const changesIn = (page: Page): Promise<string[]> =>
  page.locator('#frames [data-direction="in"] code').evaluateAll((frames) =>
    frames
      .map((frame) => JSON.parse(frame.textContent ?? '') as { data?: Record<string, string> })
      .flatMap(({ data }) => (data ? [`${data.identifier} ${data.state}`] : []))
      .toReversed(),
  )

test('a person answers the poll with the keyboard alone, sees every change, and gets the SMS', async () => {
  await using page = await openPage()
  const { keyboard } = page
  await connectionIs(page, 'live')
  await page.getByRole('button', { name: 'Begin' }).focus()
  await keyboard.press('Enter')
  await flowIs(page, 'active')
  await stepIs(page, 'name', 'active')

  await questionIs(page, 'What may we call you?')
  await keyboard.type('Thandi')
  await keyboard.press('Enter')
  await stepIs(page, 'name', 'completed')
  await questionIs(page, 'How often does spring bring you outdoors?')
  await keyboard.press('Tab')
  await keyboard.press('Space')
  await keyboard.press('Enter')
  await questionIs(page, 'Do you grow anything yourself?')
  await keyboard.press('Tab')
  await keyboard.press('Space')
  await keyboard.press('ArrowDown')
  await keyboard.press('Enter')
  await questionIs(page, 'Which number may we thank you at?')
  await stepIs(page, 'crop', 'inactive')
  await keyboard.type('082')
  await keyboard.press('Enter')
  await page.getByRole('alert').getByText('Must begin with the country code').waitFor()
  await page.getByRole('textbox').fill('+27 82 555 0100')
  await keyboard.press('Enter')

  await questionIs(page, 'Thank you, Thandi.')
  await flowIs(page, 'completed')
  await page.getByText('Thank you, Thandi!', { exact: true }).waitFor()
  await page.getByText('Demo SMS gateway, nothing is really sent.').waitFor()
  expect(await changesIn(page)).toEqual([
    'spring-poll active',
    'name active',
    'name completed',
    'outdoors active',
    'outdoors completed',
    'garden active',
    'garden completed',
    'msisdn active',
    'msisdn completed',
    'spring-poll completed',
  ])
  expect(faults).toEqual([])
})

test('a half-answered poll is there again after the page is loaded anew, and can be left', async () => {
  await using page = await openPage()
  await connectionIs(page, 'live')
  await page.getByRole('button', { name: 'Begin' }).click()
  await page.getByRole('textbox').fill('Sipho')
  await page.getByRole('button', { name: 'Next' }).click()
  await stepIs(page, 'outdoors', 'active')

  await page.reload()
  await questionIs(page, 'How often does spring bring you outdoors?')
  await stepIs(page, 'name', 'completed')
  await connectionIs(page, 'live')
  await page.getByRole('button', { name: 'Leave the poll' }).click()
  await flowIs(page, 'exited')
  await stepIs(page, 'outdoors', 'inactive')
  expect(await changesIn(page)).toEqual(['outdoors inactive', 'spring-poll exited'])
  expect(faults).toEqual([])
})

test('a second tab of the same person follows what the first one answers', async () => {
  await using first = await openPage()
  await connectionIs(first, 'live')
  const second = await first.context().newPage()
  await second.goto(surveyUrl)
  await connectionIs(second, 'live')
  await first.getByRole('button', { name: 'Begin' }).click()
  await second.getByRole('textbox').waitFor({ timeout: WAIT_MS })
  await first.getByRole('textbox').fill('Lerato')
  await first.getByRole('button', { name: 'Next' }).click()
  await questionIs(second, 'How often does spring bring you outdoors?')
  await stepIs(second, 'outdoors', 'active')
  expect(faults).toEqual([])
})

test('when the socket drops the page says so, takes answers all the same, and catches up when it is back', async () => {
  const sockets: WebSocketRoute[] = []
  let isCut = false
  await using page = await openPage((opening) =>
    opening.routeWebSocket(/\/v1\/socket/, (socket) => {
      if (isCut) return void socket.close({ code: 1001 })
      socket.connectToServer()
      sockets.push(socket)
    }),
  )
  await connectionIs(page, 'live')
  await page.getByRole('button', { name: 'Begin' }).click()
  await stepIs(page, 'name', 'active')

  isCut = true
  await sockets[0]!.close({ code: 1001 })
  await page.getByText('Connection lost').waitFor()
  await page.getByRole('textbox').fill('Naledi')
  await page.getByRole('button', { name: 'Next' }).click()
  await stepIs(page, 'outdoors', 'active')

  isCut = false
  await connectionIs(page, 'live')
  await page.getByLabel('Every day').check()
  await page.getByRole('button', { name: 'Next' }).click()
  await stepIs(page, 'garden', 'active')
  expect(await changesIn(page)).toContain('garden active')
  expect(faults).toEqual([])
})
