/**
 * Everything that crosses a wire: zod schemas and the types read off them. No I/O.
 *
 * The words, one meaning each, in code, documents, pages and logs:
 *
 * - event: an immutable broadcast fact: this conversation did something others may care about
 * - command: a directed instruction to one worker: do this
 * - kind of event: the pair `conversation_type` + `event_type`; `event_data` is a dict whose shape the kind defines
 * - source: whatever publishes events: conversation and flow workers, handlers, HTTP clients
 * - handler: a named piece of code that takes an event and a configuration and does something with it
 * - chain: an account's configuration: a trigger (which events) and ordered steps (which handlers, with which options)
 * - step: one handler in a chain, with its config, condition, retry policy and failure policy
 * - run: one execution of one chain for one event; it pins the chain's version
 * - invocation: one attempt at one step of a run
 * - listener: a registered callback (HTTP or AMQP) for events; it is a one-step chain with a shorter way to write it
 * - delivery: one attempt to tell a listener of one event
 * - dead letter: a message whose processing ended in failure: kept with its reason, never dropped
 * - channel: a live stream at the edge: one person's, one conversation's or one account's
 * - subscription: one client's interest in a channel
 */

export {
  type Biography,
  type BiographyFact,
  biographyFactSchema,
  biographySchema,
  EVENT_OUTCOMES,
  type EventOutcome,
  type EventSummary,
  eventOutcomeSchema,
  eventSummaryOf,
  eventSummarySchema,
  RESEND_REASONS,
  type ResendReason,
} from './biography.ts'
export { biographyOf, inTry } from './biography-view.ts'
export {
  CALLBACK_TYPES,
  type Callback,
  type CallbackInput,
  type CallbackSecrets,
  callbackInputSchema,
  callbackSchema,
  splitCallback,
} from './callback.ts'
export { CALLBACK_METHODS } from './callback-http.ts'
export {
  type Chain,
  type ChainInput,
  type ChainSnapshot,
  type ChainWarning,
  chainDocumentSchema,
  chainSchema,
  chainSnapshotSchema,
  chainWarningSchema,
  type OnError,
  type RetryPolicy,
  type Step,
  type StoredChain,
  savedChainSchema,
  stepSchema,
  storedChainSchema,
  type Trigger,
  triggerSchema,
} from './chain.ts'
export {
  CLOUD_EVENT_MEDIA_TYPE,
  type CloudEvent,
  cloudEventSchema,
  eventFromCloudEvent,
} from './cloud-event.ts'
export {
  type CommandInput,
  commandInputSchema,
  commandSchema,
  completeCommand,
  type VumiApiCommand,
} from './command.ts'
export { type Contact, contactSchema, msisdnSchema } from './contact.ts'
export {
  API_SCOPES,
  type ApiKey,
  type ApiScope,
  apiKeySchema,
  apiScopeSchema,
  type TokenClaims,
  type TokenRequest,
  type TokenRevocation,
  tokenClaimsSchema,
  tokenRequestSchema,
  tokenRevocationSchema,
} from './credential.ts'
export {
  DEAD_LETTER_STATES,
  type DeadLetter,
  type DeadLetterGroup,
  type DeadLetterState,
  type DeadLetterSummary,
  deadLetterGroupSchema,
  deadLetterSchema,
  deadLetterStateSchema,
  deadLetterSummarySchema,
  INSTALLATION_ACCOUNT,
  type KeptDeadLetter,
  keptDeadLetterSchema,
  REPLAY_KINDS,
  type ReplayKind,
  runContextIn,
} from './dead-letter.ts'
export {
  DELIVERY_OUTCOMES,
  type Delivery,
  type DeliveryCounts,
  type DeliveryOutcome,
  deliveryCountsSchema,
  deliveryOutcomeSchema,
  deliverySchema,
  MAX_RESPONSE_EXCERPT_CHARS,
} from './delivery.ts'
export {
  type CausedBy,
  causedBySchema,
  completeEvent,
  type EventInput,
  eventInputSchema,
  eventRoutingKey,
  eventSchema,
  type FiredEvent,
  firedEventSchema,
  type VumiApiEvent,
} from './event.ts'
export {
  type CatalogEntry,
  catalogEntrySchema,
  type HandlerDescription,
  handlerDescriptionSchema,
} from './handler.ts'
export { derivedUuid, firedIdOf, invocationIdOf, runIdOf, uuidv7 } from './identity.ts'
export {
  attemptIdOf,
  type HandlerInvocation,
  invocationBatchSchema,
  invocationSchema,
  type RunContext,
  runContextSchema,
  type StepError,
  type StepResult,
  stepErrorSchema,
  stepResultBatchSchema,
  stepResultSchema,
} from './invocation.ts'
export {
  eventTypesOf,
  LISTENER_STATES,
  type Listener,
  type ListenerInput,
  type ListenerState,
  listenerDocumentSchema,
  listenerInputSchema,
  listenerSchema,
  listenerStateSchema,
  SIGNATURE_SCHEMES,
} from './listener.ts'
export {
  chainOfListener,
  DELIVER_STEP,
  listenerChainIdOf,
  listenerIdOfChain,
} from './listener-chain.ts'
export {
  eventFromMistral,
  MISTRAL_CONVERSATION_TYPE,
  MISTRAL_EVENT_GROUPS,
  MISTRAL_EVENT_TYPES,
  MISTRAL_ON_EVENT_NAMES,
  MISTRAL_ON_EVENTS,
  type MistralNotification,
  type MistralOnEvent,
  mistralNotificationSchema,
} from './mistral.ts'
export {
  type Json,
  type JsonObject,
  jsonObjectSchema,
  jsonSchema,
  keySchema,
  LIMITS,
  messageIdSchema,
  nameSchema,
  timestampSchema,
  traceparentSchema,
} from './names.ts'
export { isPlainEventInput, isPlainInvocation, isPlainResult } from './plain.ts'
export {
  type FieldError,
  fieldErrorSchema,
  PROBLEM_MEDIA_TYPE,
  type Problem,
  problemSchema,
} from './problem.ts'
export { isCredentialName, REDACTED, shownHeaders } from './redaction.ts'
export { RETRY_DELAYS_MS, retryDelayAtLeast } from './retry-delays.ts'
export {
  type CurrentState,
  currentStateSchema,
  cursorSchema,
  type Entity,
  type EventFrame,
  entitySchema,
  eventFrameSchema,
  FLOW_STATES,
  type GapFrame,
  gapFrameSchema,
  type ListedSubscription,
  listedSubscriptionSchema,
  MAX_CURSOR_CHARS,
  requestIdSchema,
  SOCKET_SUBPROTOCOL,
  type SocketAnswer,
  type SocketError,
  type SocketRequest,
  STATE_CHANGE_EVENTS,
  STEP_STATES,
  type StateChange,
  type StateChangeFrame,
  socketAnswerSchema,
  socketErrorSchema,
  socketRequestSchema,
  stateChangeFrameSchema,
} from './socket.ts'
export { VUMI_GO, vumiGoEventSchema } from './vumi-go.ts'
