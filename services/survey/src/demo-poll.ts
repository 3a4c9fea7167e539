/** The poll that a fresh installation can try: a name, choices with scores, a conditional question, a number. */
import { ConflictError } from '@signalbox/kit'
import type { Store } from '@signalbox/store'
import type { Poll } from './poll.ts'
import { POLLS } from './poll-store.ts'

export const DEMO_POLL: Poll = {
  poll_key: 'spring-poll',
  title: 'Spring poll',
  questions: [
    { id: 'name', type: 'text', text: 'What may we call you?', max_length: 60 },
    {
      id: 'outdoors',
      type: 'choice',
      text: 'How often does spring bring you outdoors?',
      choices: [
        { value: 'daily', label: 'Every day', score: 4 },
        { value: 'weekly', label: 'Once or twice a week', score: 2 },
        { value: 'rarely', label: 'Hardly ever', score: 0 },
      ],
    },
    {
      id: 'garden',
      type: 'choice',
      text: 'Do you grow anything yourself?',
      choices: [
        { value: 'yes', label: 'Yes, I do', score: 3 },
        { value: 'no', label: 'No, not yet', score: 0 },
      ],
    },
    {
      id: 'crop',
      type: 'choice',
      text: 'What does best with you?',
      choices: [
        { value: 'herbs', label: 'Herbs on the windowsill', score: 1 },
        { value: 'vegetables', label: 'Vegetables', score: 2 },
        { value: 'flowers', label: 'Flowers', score: 2 },
      ],
      when: { question: 'garden', equals: 'yes' },
    },
    { id: 'msisdn', type: 'msisdn', text: 'Which number may we thank you at?' },
  ],
}

/** Saves the demo poll unless the account has a poll of that key already, which stays as it is. */
export async function seedDemoPoll(
  store: { documents: Pick<Store['documents'], 'put'> },
  accountKey: string,
): Promise<void> {
  try {
    await store.documents.put(accountKey, POLLS, DEMO_POLL.poll_key, DEMO_POLL, {
      expectedRevision: 0,
    })
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error
  }
}
