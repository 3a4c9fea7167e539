/** The survey: a conversation worker with polls, its HTTP API and its page, on either engine. */
import type { Broker } from '@signalbox/broker'
import { counter, createHttpApp, type HttpAppDeps } from '@signalbox/kit'
import type { Store } from '@signalbox/store'
import { consumeCommands, createSource } from '@signalbox/worker'
import type { FastifyInstance } from 'fastify'
import { createAccess } from './access.ts'
import { surveyCommands } from './commands.ts'
import { DEMO_POLL } from './demo-poll.ts'
import { addDemoSmsGateway } from './demo-sms-gateway.ts'
import { createMailboxes } from './mailboxes.ts'
import { createOutbox } from './outbox.ts'
import { addPageRoutes } from './page-routes.ts'
import { addPollRoutes } from './poll-routes.ts'
import { createPollStore } from './poll-store.ts'
import { repeat } from './repetition.ts'
import { addSessionRoutes } from './session-routes.ts'
import { createSessionStore } from './session-store.ts'
import { createSessions, type SessionsOptions } from './sessions.ts'

const MAX_BODY_BYTES = 64 * 1024
const SCAN_EVERY_MS = 2_000
const SWEEP_EVERY_MS = 600_000

export interface SurveyOptions extends SessionsOptions {
  adminKey: string
  /** Signs the persons' cookies and their WebSocket tokens; the edge must know it. */
  tokenSecret: string
  /** WebSocket URL of the edge as browsers see it; default: the page's own host, port 8081. */
  publicEdgeUrl?: string | undefined
  /** Whose polls these are; default `demo`. */
  accountKey?: string
  /** Commands are taken under this name; default `survey`. */
  workerName?: string
  /** The poll of a page that names none; default the demo poll. */
  pagePollKey?: string
  /** Offers the demo SMS gateway - nothing is really sent; default true. */
  isDemoSmsGatewayEnabled?: boolean
}

export interface SurveyDeps extends HttpAppDeps {
  broker: Broker
  store: Pick<Store, 'documents' | 'unavailableReason'>
}

export interface Survey extends AsyncDisposable {
  /** Not listening yet. */
  readonly app: FastifyInstance
}

/** Takes commands and publishes what is pending from now on; disposing it finishes what it has, within the broker's own bounds. */
export function createSurvey(options: SurveyOptions, deps: SurveyDeps): Survey {
  const { accountKey = 'demo', workerName = 'survey', pagePollKey = DEMO_POLL.poll_key } = options
  const { adminKey, tokenSecret, publicEdgeUrl, isDemoSmsGatewayEnabled = false } = options
  const { broker, store, log, readiness, metrics } = deps
  const unavailableReason = () => broker.unavailableReason()
  readiness.add('rabbitmq', unavailableReason)
  readiness.add('redis', () => store.unavailableReason())

  const sessionStore = createSessionStore(
    { accountKey, onPending: (mark) => outbox.wake(mark) },
    store,
  )
  const outbox = createOutbox(
    { accountKey },
    { sessions: sessionStore, source: createSource({ broker }), unavailableReason, log },
  )
  const polls = createPollStore(accountKey, store.documents)
  const sessions = createSessions(options, { polls, store: sessionStore, log })
  const removedSessions = counter(
    metrics,
    'survey_sessions_removed_total',
    'Ended sessions that were removed because they were old.',
  )
  const forgottenMessages = counter(
    metrics,
    'survey_messages_forgotten_total',
    'Messages to persons that fell off because newer ones came.',
  )
  const mailboxes = createMailboxes(
    { accountKey },
    { documents: store.documents, onForgotten: (count) => forgottenMessages.inc(count) },
  )

  const access = createAccess({ adminKey, tokenSecret })
  const app = createHttpApp({ maxBodyBytes: MAX_BODY_BYTES }, deps)
  addPageRoutes(
    app,
    {
      accountKey,
      tokenSecret,
      pagePollKey,
      isDemoSmsGatewayEnabled,
      ...(publicEdgeUrl === undefined ? {} : { publicEdgeUrl }),
    },
    { access, polls, sessions, mailboxes },
  )
  addPollRoutes(app, { access, polls })
  addSessionRoutes(app, { access, sessions })
  if (isDemoSmsGatewayEnabled) {
    log.warn({}, 'demo_sms_gateway.nothing_is_really_sent')
    addDemoSmsGateway(app, { access, mailboxes })
  }

  const stack = new AsyncDisposableStack()
  stack.defer(() => outbox.drain())
  const sweep = async () => removedSessions.inc((await sessions.sweep()).removed)
  stack.use(repeat({ everyMs: SWEEP_EVERY_MS, name: 'sessions.sweep' }, sweep, { log }))
  stack.use(repeat({ everyMs: SCAN_EVERY_MS, name: 'outbox.scan' }, () => outbox.scan(), { log }))
  stack.use(takeCommands())
  stack.defer(() => app.close())
  return { app, [Symbol.asyncDispose]: () => stack.disposeAsync() }

  /** In the background: HTTP must not wait for the broker, nor must the end for one that never came. */
  function takeCommands(): AsyncDisposable {
    let consumer: AsyncDisposable | undefined
    let reason: string | undefined = 'not consuming yet'
    let isEnding = false
    readiness.add(`consumer ${broker.topology.workerQueue(workerName).name}`, () => reason)
    consumeCommands(
      { workerName, commands: surveyCommands({ accountKey }, { sessions, mailboxes }) },
      { broker, log },
    ).then(
      async (started) => {
        consumer = started
        reason = undefined
        if (isEnding) await started[Symbol.asyncDispose]()
      },
      (error: unknown) => {
        if (isEnding) return
        reason = 'could not start consuming; the log has the reason'
        log.error({ err: error, workerName }, 'commands.start_failed')
      },
    )
    return {
      async [Symbol.asyncDispose]() {
        isEnding = true
        await consumer?.[Symbol.asyncDispose]()
      },
    }
  }
}
