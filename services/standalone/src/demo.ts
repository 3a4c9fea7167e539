/** The demo account: a poll, and the chain that makes a contact of its answers and thanks by SMS. */
import type { Chain } from '@signalbox/contracts'
import { seedDemoPoll } from '@signalbox/service-survey'
import type { Store } from '@signalbox/store'

export const DEMO_ACCOUNT = 'demo'
export const DEMO_CHAIN_ID = 'poll-to-sms'

export const demoChain: Chain = {
  name: 'Poll to contact to SMS',
  enabled: true,
  trigger: { conversation_type: 'poll', event_type: 'poll_complete' },
  steps: [
    {
      id: 'contact',
      handler: 'create_contact',
      config: {
        name: '${{ event.event_data.name }}',
        msisdn: '${{ event.event_data.msisdn }}',
      },
      on_error: 'stop',
    },
    {
      id: 'sms',
      handler: 'send_sms',
      when: 'has(results.contact.msisdn)',
      config: {
        to: '${{ results.contact.msisdn }}',
        body: 'Thank you, ${{ event.event_data.name }}!',
      },
      on_error: 'stop',
    },
  ],
}

/** Leaves alone what is there already: it may have been changed on purpose. */
export async function seedDemo(store: Pick<Store, 'chains' | 'documents'>): Promise<void> {
  await seedDemoPoll(store, DEMO_ACCOUNT)
  if ((await store.chains.get(DEMO_ACCOUNT, DEMO_CHAIN_ID)) === undefined) {
    await store.chains.put(DEMO_ACCOUNT, DEMO_CHAIN_ID, demoChain)
  }
}
