/** Every service in one process: `npm start`. */
import { orExit, runService } from '@signalbox/kit'
import { startStandalone } from './app.ts'
import { readStandaloneConfig } from './config.ts'
import { welcome } from './welcome.ts'

const settings = orExit(() => readStandaloneConfig(process.env))

await runService({ name: 'standalone', config: settings }, async (scope) => {
  const standalone = await startStandalone(settings, scope)
  console.log(welcome(standalone, performance.now()))
})
