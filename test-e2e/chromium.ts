/** The system's Chromium, installed where that is possible. */
import { access } from 'node:fs/promises'
import { ensureDebianPackages } from '@signalbox/testkit'
import { type Browser, chromium } from 'playwright-core'

const CHROMIUM = '/usr/bin/chromium'
const BROWSER_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Whoever launches it closes it. */
export async function launchChromium(): Promise<Browser> {
  const exists = () =>
    access(CHROMIUM).then(
      () => true,
      () => false,
    )
  await ensureDebianPackages(['chromium'], { probe: exists })
  return chromium.launch({ executablePath: CHROMIUM, args: BROWSER_ARGS })
}
