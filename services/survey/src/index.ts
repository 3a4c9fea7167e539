/** The survey service, for `standalone` and for tests that compose services. */

export { createSurvey, type Survey, type SurveyDeps, type SurveyOptions } from './app.ts'
export { config } from './config.ts'
export { DEMO_POLL, seedDemoPoll } from './demo-poll.ts'
export type { Poll, Question } from './poll.ts'
