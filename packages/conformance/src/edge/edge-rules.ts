/** The protocol of the edge as rules, in the order in which they are checked. docs/websocket-protocol.md tells it to authors of clients. */

export const EDGE_RULES = {
  'takes-token-in-header': 'A token in `Authorization: Bearer` opens a socket.',
  'takes-token-in-subprotocols':
    'A token as `bearer.<token>` in the list of subprotocols opens a socket; the edge selects `signalbox.v1`.',
  'takes-token-in-query': 'A token as `?token=` opens a socket.',
  'refuses-bad-tokens':
    'Without a token, or with one that is not valid, the upgrade is refused with 401 and `SB_UNAUTHENTICATED`.',
  'refuses-plain-http': 'A request that is no upgrade is answered 400 with a problem document.',
  'answers-exactly':
    'An answer that was asked for nothing more is `request_id`, `errors`, `status`, byte for byte.',
  'answers-in-order': 'Every request is answered once, in the order of the requests.',
  'echoes-request-id': 'Numbers up to 2^53 and strings of up to 128 characters come back as sent.',
  'ignores-unknown-fields': 'What a request has beyond its fields is ignored.',
  'refuses-not-json': 'A frame that is not JSON is answered `SB_INVALID_JSON` with 400.',
  'refuses-wrong-shape':
    'A request with a field that is absent or does not fit is answered `SB_INVALID_INPUT` with 400 and names the field.',
  'refuses-unknown-action':
    'An action that does not exist is answered `SB_UNKNOWN_ACTION` with 404.',
  'refuses-binary': 'A binary frame is answered 400, and the socket stays open.',
  'closes-too-large': 'A frame of more than 16 KiB closes the socket with 1009.',
  'closes-not-utf8': 'A text frame that is not UTF-8 closes the socket with 1007.',
  'keeps-persons-apart':
    "A person's token is answered 403 for anybody else, and sees no event of anybody else, whatever it asks.",
  'shows-changes': 'A state change arrives as `event`, `request_id`, `data`, byte for byte.',
  'subscribes-idempotently':
    'Subscribing n times is subscribing once: each change comes once, with the first `request_id`.',
  'unsubscribes-idempotently':
    'Unsubscribing is answered 200 whether or not there was a subscription, and nothing comes after it.',
  'separates-entities': 'Flow and step states are subscriptions of their own.',
  'gives-cursors':
    'With `resume` the answer and each frame end with a cursor; without it no frame has one.',
  'recovers-missed':
    'With `since` the answer comes first, then what was missed in order, then what is live; `recovered` is true.',
  'tells-unrecovered':
    'A cursor of another log is `recovered: false`, with a snapshot and a new cursor.',
  'refuses-no-cursor': 'What cannot be a cursor is answered 400 at `data.since`.',
  'resumes-idempotently':
    'A repeated subscribe with `since` is answered with a cursor, and nothing comes twice.',
  'gives-snapshot':
    "With `snapshot` the answer has the newest state of each of the person's flows and steps.",
  'keeps-order-over-reconnects':
    'Over many changes and many reconnects with `since`, each change comes once and in order.',
  'shows-events':
    'A subscription to a conversation, a type of conversation or a type of event gets whole events, and no others.',
  'filters-events': '`when` is evaluated on the event; what does not match does not come.',
  'refuses-bad-filter': 'A `when` that does not parse is answered 400 at `data.when`.',
  'requires-selector': 'A general subscription without anything to go by is answered 400.',
  'unsubscribes-events': 'The same selector ends a general subscription; another `when` does not.',
  'lists-subscriptions': '`list` tells what is subscribed, in its order, as it was asked for.',
  'refreshes-token': '`refresh_token` keeps the socket open beyond the end of its first token.',
  'refuses-bad-refresh': 'A new token that is not valid, or of another person, changes nothing.',
  'closes-at-expiry': 'When its token ends the socket is closed with 4001.',
  'closes-slow-consumer':
    'A client that does not read is closed, with 4008 when it still listens; its neighbours notice nothing.',
} as const

export type EdgeRuleId = keyof typeof EDGE_RULES
