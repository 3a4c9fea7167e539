/** The handlers that come with Signalbox. */
import type { Log } from '@signalbox/kit'
import type { ContactStore } from '@signalbox/store'
import type { Handler } from '@signalbox/worker'
import { createContactHandler } from './create-contact.ts'
import { fireEventHandler } from './fire-event.ts'
import { logHandler } from './log.ts'
import { sendMessageHandler } from './send-message.ts'
import { sendSmsHandler } from './send-sms.ts'
import { setSubscriptionHandler } from './set-subscription.ts'
import { createSmsGateway, type SmsGatewayOptions } from './sms-gateway.ts'

export interface BuiltInOptions {
  contacts: ContactStore
  /** Undefined: `send_sms` fails and says so. */
  smsGateway: SmsGatewayOptions | undefined
  /** Where `log` writes. */
  log: Log
}

export function builtInHandlers({ contacts, smsGateway, log }: BuiltInOptions): Handler[] {
  return [
    logHandler(log),
    createContactHandler(contacts),
    setSubscriptionHandler(contacts),
    sendSmsHandler(smsGateway && createSmsGateway(smsGateway)),
    sendMessageHandler(),
    fireEventHandler(),
  ]
}
