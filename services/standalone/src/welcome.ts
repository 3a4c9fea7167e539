/** What a person sees when the standalone process is ready. */

import type { Standalone } from './app.ts'
import { DEVELOPMENT_ADMIN_KEY } from './config.ts'
import { DEMO_ACCOUNT } from './demo.ts'

const EVENT = {
  conversation_key: 'spring-poll',
  conversation_type: 'poll',
  event_type: 'poll_complete',
  event_data: { name: 'Ada', msisdn: '+27820000001', score: 7 },
}

const STATE_CHANGE = {
  conversation_key: 'spring-poll',
  conversation_type: 'poll',
  event_type: 'flow_state_change',
  person_key: 'p1',
  event_data: { id: 'f1', identifier: 'spring-poll', state: 'completed', previous_state: 'active' },
}

/** Plain text. The commands work as they are printed, in another terminal. */
export function welcome(standalone: Standalone, readyAfterMs: number): string {
  const { apiUrl, edgeUrl, surveyUrl, engine, isDurable } = standalone
  const { usesDevelopmentKey, usesDevelopmentSealingKey } = standalone
  const key = usesDevelopmentKey ? DEVELOPMENT_ADMIN_KEY : '$SIGNALBOX_ADMIN_KEY'
  const publish = (event: object) =>
    [
      `curl -s ${apiUrl}/v1/accounts/${DEMO_ACCOUNT}/events \\`,
      `    -H 'authorization: Bearer ${key}' -H 'content-type: application/json' \\`,
      `    -d '${JSON.stringify(event)}'`,
    ].join('\n')
  const watchKey = usesDevelopmentKey ? '' : ' --key "$SIGNALBOX_ADMIN_KEY"'

  return `
Signalbox is ready (${(readyAfterMs / 1_000).toFixed(1)} s), on the ${engine} engine.
${isDurable ? '' : 'The memory engine forgets everything when it stops. Set AMQP_URL and REDIS_URL to keep it.\n'}${
  usesDevelopmentKey
    ? `No SIGNALBOX_ADMIN_KEY is set: the admin key is "${key}", and only this machine can connect.\n`
    : ''
}${
  usesDevelopmentSealingKey
    ? 'No SIGNALBOX_SEALING_KEY is set: secrets of listeners are stored under a key that is no secret.\n'
    : ''
}
  Answer a poll and watch it live   ${surveyUrl}/
  HTTP API                          ${apiUrl}/openapi.json
  WebSocket edge                    ${edgeUrl.replace(/^http/, 'ws')}/v1/socket

Publish an event: its chain creates a contact and sends an SMS to the demo gateway.

    ${publish(EVENT)}

Watch a person live, and in another terminal change their state.

    npm run watch -- p1 --account ${DEMO_ACCOUNT} --api ${apiUrl} --url ${edgeUrl.replace(/^http/, 'ws')}${watchKey}

    ${publish(STATE_CHANGE)}

Ctrl-C stops it.
`
}
