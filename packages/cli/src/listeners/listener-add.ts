/** `signalbox listener-add`: registers a callback, by arguments or by a file that has all that a listener may have. */
import { keySchema, nameSchema, SIGNATURE_SCHEMES } from '@signalbox/contracts'
import { CALLBACK_METHODS } from '@signalbox/outbound'
import { z } from 'zod'
import { type Api, understood } from '../api/api.ts'
import { apiCommand, type CommandContext } from '../api-command.ts'
import { documentsOf } from '../documents/documents.ts'
import { EXIT } from '../exit-codes.ts'
import { InputError } from '../failure.ts'
import { headersSchema } from '../header-option.ts'
import { nameOfInput, readInput } from '../input-file.ts'
import type { Output } from '../output.ts'
import { UsageError } from '../usage-error.ts'
import { listenerLine, listenerSchema } from './listener-line.ts'

const ANY = '*'

const USAGE = `Usage: signalbox listener-add {task|execution|EVENT_TYPE} CONVERSATION URL [options]
   or: signalbox listener-add -f <file> [options]

Registers a callback: each event of this type in this conversation is posted to the URL, signed (docs/listeners.md).

  task, execution         every event of Mistral's tasks or workflow executions
  EVENT_TYPE              a type of event, several with commas between, an on-… name such as on-task-error, or '*' for every one
  CONVERSATION            the key of a conversation, or '*' for every one
  URL                     http:// or https://, as seen from Signalbox; for one on this machine alone see "listen"

  --name <text>           default: made of the URL
  --conversation-type <name>
  --when <condition>      CEL over event (docs/expressions.md)
  --header 'Name: value'  repeatable
  --secret-header 'Name: value'
                          repeatable: kept sealed, never shown again
  --method <method>       ${CALLBACK_METHODS.join(', ')} (default POST)
  --signature <scheme>    hmac-sha256 (default) or ed25519
  --id <name>             the listener's identity; default: a new one
  -f, --file <file>       listeners whole, as JSON or YAML: AMQP callbacks, retries, limits, bodies; - is stdin

The secret that signs is shown once, here.`

const NOTES = `Exit codes: 0 registered, 2 the command line or the file is wrong, 3 refused, 4 cannot be reached.`

const schema = z.object({
  name: z.string().min(1).max(200).optional(),
  'conversation-type': nameSchema.optional(),
  when: z.string().min(1).optional(),
  header: headersSchema,
  'secret-header': headersSchema,
  method: z.enum(CALLBACK_METHODS).optional(),
  signature: z.enum(SIGNATURE_SCHEMES).optional(),
  id: nameSchema.optional(),
  file: z.string().min(1).optional(),
})
type Context = CommandContext<z.output<typeof schema>>

export const listenerAdd = apiCommand({
  name: 'listener-add',
  usage: USAGE,
  notes: NOTES,
  options: {
    name: { type: 'string' },
    'conversation-type': { type: 'string' },
    when: { type: 'string' },
    header: { type: 'string', multiple: true },
    'secret-header': { type: 'string', multiple: true },
    method: { type: 'string' },
    signature: { type: 'string' },
    id: { type: 'string' },
    file: { type: 'string', short: 'f' },
  },
  schema,
  positionals: {
    what: '{task|execution|EVENT_TYPE} CONVERSATION URL, or --file alone',
    min: 0,
    max: 3,
  },
  async run(context) {
    for (const listener of await listenersOf(context)) await add(listener, context)
    return EXIT.done
  },
})

async function listenersOf(context: Context): Promise<object[]> {
  const { values, positionals, deps } = context
  if (values.file === undefined) return [listenerOf(context)]
  if (positionals.length > 0)
    throw new UsageError('--file stands for the arguments: give one or the other')
  const documents = documentsOf(await readInput(values.file, deps), nameOfInput(values.file))
  return documents.map(({ value, where }) => {
    if (typeof value === 'object' && value !== null) return value
    throw new InputError(`${where} is not a listener`)
  })
}

function listenerOf({ values, positionals }: Context): object {
  const [what, conversation, url] = positionals
  if (what === undefined || conversation === undefined || url === undefined) {
    throw new UsageError('give {task|execution|EVENT_TYPE} CONVERSATION URL, or --file')
  }
  if (conversation !== ANY && !keySchema.safeParse(conversation).success) {
    throw new UsageError('CONVERSATION must be 1 to 128 printable characters without spaces, or *')
  }
  const { header, 'secret-header': secretHeader, method, signature, id, name, when } = values
  return {
    ...(id === undefined ? {} : { listener_id: id }),
    ...(name === undefined ? {} : { name }),
    ...eventsOf(what),
    ...(conversation === ANY ? {} : { conversation_key: conversation }),
    ...(values['conversation-type'] === undefined
      ? {}
      : { conversation_type: values['conversation-type'] }),
    ...(when === undefined ? {} : { when }),
    ...(signature === undefined ? {} : { signature }),
    callback: {
      type: 'http',
      url: urlOf(url),
      ...(method === undefined ? {} : { method }),
      ...(Object.keys(header).length === 0 ? {} : { headers: header }),
      ...(Object.keys(secretHeader).length === 0 ? {} : { secret_headers: secretHeader }),
    },
  }
}

function eventsOf(text: string): { event_types?: string[]; events?: string[] } {
  const names = text.split(',').map((name) => {
    const upper = name.toUpperCase()
    return upper === 'TASK' || upper === 'EXECUTION' ? upper : name
  })
  if (names.some((name) => name !== ANY && !nameSchema.safeParse(name).success)) {
    throw new UsageError(
      'EVENT_TYPE must be task, execution, *, or names of A-Z a-z 0-9 _ - with commas between',
    )
  }
  const isOn = (name: string) => name.startsWith('on-')
  const [events, event_types] = [names.filter(isOn), names.filter((name) => !isOn(name))]
  return {
    ...(event_types.length === 0 ? {} : { event_types }),
    ...(events.length === 0 ? {} : { events }),
  }
}

/** What a URL has to be beyond this the API says. n.b. it is not repeated: there may be credentials in it. */
function urlOf(text: string): string {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? '')) return text
  throw new UsageError('URL must be an http:// or https:// URL; AMQP callbacks come from --file')
}

/** One of them: the public key where deliveries are signed with ed25519. */
const addedSchema = listenerSchema.extend({
  secret: z.string().optional(),
  public_key: z.string().optional(),
})

async function add(listener: object, { api, output }: { api: Pick<Api, 'send'>; output: Output }) {
  const answer = await api.send({ path: '/listeners', method: 'POST', body: listener })
  const added = understood(addedSchema, answer, 'POST /listeners')
  const { secret, public_key } = added
  output.print(
    added,
    [
      `added  ${listenerLine(added)}`,
      ...(secret === undefined ? [] : [`  signing secret, shown this once: ${secret}`]),
      ...(public_key === undefined ? [] : [`  public key that verifies: ${public_key}`]),
    ].join('\n'),
  )
}
