/**
 * A topic: what the edge is asked for once, however many consumers in this client want it.
 *
 * - idle: there is no link, or the edge's trouble is being waited for
 * - asking: a request is on its way; who joins meanwhile is asked for after it
 * - live: frames come under the request that was the first to be confirmed over this link
 * - leaving: the last consumer has gone, and the edge is told; who joins meanwhile begins anew after that
 *
 * One request at a time: what comes next depends on how it is answered. The cursor outlives the links: over the next one the topic goes
 * on from it, and a gap is told when the edge cannot say that nothing is missing.
 */
import { type Backoff, backoffMs } from './backoff.ts'
import { errorOf, type SignalboxError } from './errors.ts'
import type { Link } from './link.ts'
import type { Member } from './subscription.ts'
import type { CurrentState, SocketAnswer, SocketFrame } from './wire.ts'

export interface TopicOptions {
  subscribeAction: string
  unsubscribeAction: string
  /** Of the frames with its data. */
  event: string
  /** What identifies it, as it goes over the wire. */
  data: object
  backoff: Backoff
}

export interface Topic {
  readonly isWanted: boolean
  /** `since`: only of the first one. */
  join(member: Member, since?: string): void
  leave(member: Member): void
  /** A member needs something more. */
  ask(): void
  attach(link: Link): void
  detach(): void
  /** Without an error: closed. */
  end(error?: SignalboxError): void
}

/** `onOver`: nobody wants it any more, and the edge knows. */
export function createTopic(options: TopicOptions, onOver: () => void): Topic {
  const members = new Set<Member>()
  let cursor: string | undefined
  /** Where those begin who joined after the last one had left. */
  let firstCursor: string | undefined
  /** The edge did not take our cursor. */
  let isCursorLost = false
  let link: Link | undefined
  let liveId: number | undefined
  /** What is live was for consumers who have gone. */
  let isStale = false
  let isAsking = false
  let failures = 0
  let retry: ReturnType<typeof setTimeout> | undefined

  const isWanting = (member: Member) => !member.isActive || member.needsSnapshot

  /** Sends what is to be sent next, if anything. */
  function proceed(): void {
    if (isAsking) return
    clearTimeout(retry)
    if (link && liveId !== undefined && isStale) unsubscribe(link, liveId)
    else if (members.size === 0) onOver()
    else if (link && (liveId === undefined || [...members].some(isWanting))) subscribe(link)
  }

  function subscribe(to: Link): void {
    const asked = [...members].filter(isWanting)
    const since = liveId === undefined ? cursor : undefined
    const data = {
      ...options.data,
      resume: true,
      ...(since === undefined ? {} : { since }),
      ...(asked.some(({ needsSnapshot }) => needsSnapshot) ? { snapshot: true } : {}),
    }
    isAsking = true
    const id = to.request(
      options.subscribeAction,
      data,
      (answer) => {
        isAsking = false
        if (answer.status === 200) confirmed(id, answer, asked, since)
        else refused(answer, asked, since)
      },
      (frame) => {
        if (id === liveId) take(frame)
      },
    )
  }

  function unsubscribe(from: Link, id: number): void {
    isAsking = true
    from.request(options.unsubscribeAction, options.data, (answer) => {
      isAsking = false
      if (answer.status !== 200 && errorOf(answer).retryable) return later()
      failures = 0
      from.forget(id)
      begin()
      proceed()
    })
  }

  /** Nothing is live, and whoever is there has missed nothing. */
  function begin(): void {
    liveId = undefined
    isStale = false
    isCursorLost = false
    cursor = firstCursor
    firstCursor = undefined
  }

  function confirmed(
    id: number,
    answer: SocketAnswer,
    asked: readonly Member[],
    since: string | undefined,
  ): void {
    failures = 0
    if (liveId === undefined) {
      liveId = id
      cursor = answer.cursor
      const isGap = isCursorLost || since === undefined || answer.recovered !== true
      isCursorLost = false
      // n.b. who joins now has missed nothing.
      if (isGap && !isStale) gap(answer.snapshot)
    } else {
      link?.forget(id)
    }
    if (!isStale) activate(asked, answer.snapshot)
    proceed()
  }

  function activate(asked: readonly Member[], states: readonly CurrentState[] | undefined): void {
    for (const member of asked) {
      if (!members.has(member)) continue
      member.activate()
      if (!member.needsSnapshot) continue
      // n.b. an edge that knows no snapshots answers without: that is no person without states.
      member.needsSnapshot = false
      if (states) member.snapshot(states)
    }
    for (const member of members) if (member.isActive) member.activate()
  }

  function gap(states: readonly CurrentState[] | undefined): void {
    for (const member of members) {
      if (!member.isActive) continue
      member.gap()
      if (states) member.snapshot(states)
    }
  }

  function refused(
    answer: SocketAnswer,
    asked: readonly Member[],
    since: string | undefined,
  ): void {
    const error = errorOf(answer)
    const concerned = liveId === undefined ? [...members] : asked
    if (isStale) {
      if (liveId === undefined) begin()
    } else if (since !== undefined && error.path === 'data.since') {
      cursor = undefined
      isCursorLost = true
    } else if (error.retryable) {
      later()
      for (const member of concerned) member.error(error, true)
      return
    } else {
      for (const member of concerned) if (members.delete(member)) member.end(error)
      isStale = members.size === 0
    }
    proceed()
  }

  function later(): void {
    failures += 1
    retry = setTimeout(proceed, backoffMs(failures, options.backoff))
  }

  function take({ event, data, cursor: next }: SocketFrame): void {
    if (event !== options.event && event !== 'gap') return
    cursor = next ?? cursor
    if (isStale) return
    if (event === 'gap') {
      gap((data as { snapshot?: CurrentState[] } | null)?.snapshot)
    } else {
      for (const member of members) if (member.isActive) member.deliver(data, cursor)
    }
  }

  return {
    get isWanted() {
      return members.size > 0
    },
    join(member, since) {
      if (members.size === 0) {
        if (liveId !== undefined || isAsking) firstCursor = since
        else cursor = since
      }
      members.add(member)
      proceed()
    },
    leave(member) {
      if (!members.delete(member) || members.size > 0) return
      isStale = true
      firstCursor = undefined
      failures = 0
      proceed()
    },
    ask: proceed,
    attach(to) {
      link = to
      proceed()
    },
    detach() {
      clearTimeout(retry)
      link = undefined
      isAsking = false
      failures = 0
      if (isStale) begin()
      liveId = undefined
      if (members.size === 0) onOver()
    },
    end(error) {
      clearTimeout(retry)
      link = undefined
      const ending = [...members]
      members.clear()
      for (const member of ending) member.end(error)
    },
  }
}
