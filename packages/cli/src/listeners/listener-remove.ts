/** `signalbox listener-remove`: removes listeners; what waits to be told to them is not. */
import { z } from 'zod'
import { apiCommand } from '../api-command.ts'
import { EXIT } from '../exit-codes.ts'
import { RefusedError } from '../failure.ts'

const USAGE = `Usage: signalbox listener-remove LISTENER_ID … [options]

Removes listeners: their callbacks end. "listener-list" shows the identities.`

const NOTES = `Exit codes: 0 removed, 2 the command line is wrong, 3 refused (there is no such listener), 4 cannot be reached.`

export const listenerRemove = apiCommand({
  name: 'listener-remove',
  usage: USAGE,
  notes: NOTES,
  options: {},
  schema: z.object({}),
  positionals: { what: 'the identities of listeners', min: 1, max: 1_000 },
  async run({ api, output, positionals }) {
    for (const id of positionals) {
      try {
        await api.send({ path: `/listeners/${encodeURIComponent(id)}`, method: 'DELETE' })
      } catch (error) {
        if (error instanceof RefusedError) throw new RefusedError(error.problem, `listener "${id}"`)
        throw error
      }
      output.print({ listener_id: id, removed: true }, `removed  ${id}`)
    }
    return EXIT.done
  },
})
