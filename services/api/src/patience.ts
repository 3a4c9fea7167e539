/** Somebody waits for each answer: how long for RabbitMQ, when it is not known to be away. An answer of 503 comes within this. */
export const DEFAULT_PATIENCE_MS = 5_000
