/** How routes document what may go wrong: one shape for every error. */
import { PROBLEM_MEDIA_TYPE, problemSchema } from '@signalbox/contracts'

const content = { [PROBLEM_MEDIA_TYPE]: { schema: problemSchema } }

/** Spread into a route's `response`. */
export const PROBLEMS = {
  '4xx': { description: 'The request cannot be served as it is.', content },
  '5xx': { description: 'What is needed cannot be reached now; try again.', content },
}
