/** `signalbox events tail`: the account's events as they happen. */
import { z } from 'zod'
import { apiCommand } from '../api-command.ts'
import { EXIT } from '../exit-codes.ts'
import { countSchema } from './count.ts'
import { eventLine, GAP_NOTES } from './event-line.ts'
import { FILTER_OPTIONS, FILTER_USAGE, filterShape, selectorOf } from './filter.ts'
import { followEvents } from './following.ts'

const USAGE = `Usage: signalbox events tail [options]

Shows events as they happen, until Ctrl-C. A connection that is lost is made again, and goes on where it ended; when events
are missing all the same, it says so. The key needs the scope manage (for a token), or is the admin key.

${FILTER_USAGE}

What is shown
  --count <n>             end after so many events
  --whole                 event_data in full, however long`

const NOTES = `With --json stdout has the events as they are, one per line, as "events publish -f" reads them; remarks are on stderr.

Exit codes: 0 ended by Ctrl-C or --count, 2 the command line is wrong, 3 refused, 4 cannot be reached.`

export const eventsTail = apiCommand({
  name: 'events tail',
  usage: USAGE,
  notes: NOTES,
  usesEdge: true,
  options: {
    ...FILTER_OPTIONS,
    count: { type: 'string' },
    whole: { type: 'boolean', default: false },
  },
  schema: z.object({ ...filterShape, count: countSchema.optional(), whole: z.boolean() }),
  async run({ values, connection, api, output, deps }) {
    let shown = 0
    const follow = { connection, api, output, signal: deps.signal }
    for await (const item of followEvents(selectorOf(values), follow)) {
      if (item.kind === 'gap') {
        output.note(GAP_NOTES[item.reason])
        continue
      }
      output.print(item.event, eventLine(item.event, { isWhole: values.whole }))
      shown += 1
      if (shown === values.count) break
    }
    return EXIT.done
  },
})
