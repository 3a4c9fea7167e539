/** `signalbox listener-list`: the account's listeners, one per line. */
import { z } from 'zod'
import { understood } from '../api/api.ts'
import { apiCommand } from '../api-command.ts'
import { EXIT } from '../exit-codes.ts'
import { listenerLine, listenerSchema } from './listener-line.ts'

const USAGE = `Usage: signalbox listener-list [options]

Shows the listeners of the account: identity, state, types of events, conversation, where they are told. Secrets are not shown.`

const NOTES = `Exit codes: 0 done, 2 the command line is wrong, 3 refused, 4 cannot be reached.`

export const listenerList = apiCommand({
  name: 'listener-list',
  usage: USAGE,
  notes: NOTES,
  options: {},
  schema: z.object({}),
  async run({ api, output, connection }) {
    let count = 0
    for await (const item of api.list('/listeners')) {
      const listener = understood(listenerSchema, item, 'GET /listeners')
      output.print(listener, listenerLine(listener))
      count += 1
    }
    if (count === 0) output.note(`account "${connection.accountKey}" has no listeners`)
    return EXIT.done
  },
})
