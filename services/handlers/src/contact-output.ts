/** A contact as steps see it: one flat object, so that `results.contact.msisdn` and the account's own fields read alike. */
import type { Contact, Json, JsonObject } from '@signalbox/contracts'

/** The contact's own fields win over extra ones of the same name. */
export function contactOutput({ extra, ...contact }: Contact): JsonObject {
  return { ...extra, ...(contact as Record<string, Json>) }
}
