import { type Broker, createMemoryBroker, createTopology } from '@signalbox/broker'
import { completeEvent } from '@signalbox/contracts'
import { silentLog, UnavailableError } from '@signalbox/kit'
import { createMemoryStore, type Store } from '@signalbox/store'
import { waitFor } from '@signalbox/testkit'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createInterest, type InterestDeps, type InterestOptions } from '../src/interest.ts'
import { ACCOUNT, publish, stateChange } from './edge-bed.ts'

const CHANNEL = { accountKey: ACCOUNT, kind: 'account' as const }
const away = () => new UnavailableError('RabbitMQ is away', { code: 'SB_BROKER_UNAVAILABLE' })

let broker: Broker
let store: Store
beforeEach(() => {
  broker = createMemoryBroker({ topology: createTopology(), log: silentLog })
  store = createMemoryStore()
})
afterEach(async () => {
  await broker.close()
  await store.close()
})

function create(deps: Partial<InterestDeps> = {}, options: InterestOptions = {}) {
  return createInterest(options, {
    broker,
    interest: store.interest,
    channels: store.channels,
    log: silentLog,
    wanted: () => [],
    isLeader: () => false,
    ...deps,
  })
}

const relayQueue = () => broker.topology.queue.edgeRelay
const poll = () => completeEvent({ ...stateChange('p', 'flow', 'f'), event_type: 'poll_complete' })

/** Whether an event that is no state change gets to the relay. */
async function isBound(): Promise<boolean> {
  const before = await broker.messagesIn(relayQueue())
  await publish(broker, poll())
  return (await broker.messagesIn(relayQueue())) === before! + 1
}

const epoch = async () => (await store.channels.open(CHANNEL)).end.epoch
const isKept = async () => (await store.interest.among([ACCOUNT])).has(ACCOUNT)

describe('interest in an account', () => {
  it('brings all its events to the relay before it is answered, and begins an epoch', async () => {
    await using interest = create()
    const before = await epoch()
    expect(await isBound()).toBe(false)
    await interest.ensure(ACCOUNT)
    expect(await isBound()).toBe(true)
    expect(await epoch()).not.toBe(before)
    expect(await store.interest.keep(ACCOUNT, 1)).toEqual({ isConfirmed: true })
  })

  it('costs nothing when it was ensured a moment ago, and goes on in its epoch elsewhere', async () => {
    let binds = 0
    const counting = {
      broker: {
        ...broker,
        async bind(...route: Parameters<Broker['bind']>) {
          binds++
          return broker.bind(...route)
        },
      },
    }
    await using interest = create(counting)
    await Promise.all([interest.ensure(ACCOUNT), interest.ensure(ACCOUNT)])
    await interest.ensure(ACCOUNT)
    expect(binds).toBe(1)
    const own = await epoch()
    await using elsewhere = create(counting)
    await elsewhere.ensure(ACCOUNT)
    await interest.assert(ACCOUNT)
    expect(binds).toBe(3)
    expect(await epoch()).toBe(own)
  })

  it('is refused while the broker is away, and is there when it is asked for again', async () => {
    let isAway = true
    await using interest = create({
      broker: {
        ...broker,
        async bind(route) {
          if (isAway) throw away()
          return broker.bind(route)
        },
      },
    })
    await expect(interest.ensure(ACCOUNT)).rejects.toMatchObject({ retryable: true })
    await expect(interest.ensure(ACCOUNT)).rejects.toMatchObject({ code: 'SB_BROKER_UNAVAILABLE' })
    isAway = false
    await interest.ensure(ACCOUNT)
    expect(await isBound()).toBe(true)
  })

  it('is kept as long as somebody wants it, and lapses some time after', async () => {
    let wanted = [ACCOUNT]
    await using interest = create(
      { wanted: () => wanted, isLeader: () => true },
      { keepMs: 100, refreshIntervalMs: 10 },
    )
    await interest.ensure(ACCOUNT)
    const own = await epoch()
    const since = Date.now()
    await waitFor(() => Date.now() - since > 300, { what: 'three times as long as it is kept' })
    expect(await isBound()).toBe(true)
    expect(await epoch()).toBe(own)

    wanted = []
    await waitFor(async () => !(await isKept()), { what: 'the lapse' })
    expect(await isBound()).toBe(false)
    expect(await epoch()).not.toBe(own)
  })

  it('lapses at nobody but the leader', async () => {
    await using follower = create({}, { keepMs: 1, refreshIntervalMs: 5 })
    await follower.ensure(ACCOUNT)
    await waitFor(async () => (await store.interest.list())[0]?.isLapsed, { what: 'its time' })
    let looks = 0
    await using _other = create(
      {
        isLeader: () => {
          looks++
          return false
        },
      },
      { refreshIntervalMs: 1 },
    )
    await waitFor(() => looks > 5, { what: 'some refreshes', intervalMs: 1 })
    expect(await isKept()).toBe(true)
    expect(await isBound()).toBe(true)
  })

  it('is bound again by the leader when the broker lost the binding', async () => {
    await using _interest = create()
    await _interest.ensure(ACCOUNT)
    const other = createMemoryBroker({ topology: createTopology(), log: silentLog })
    await broker.close()
    broker = other
    expect(await isBound()).toBe(false)
    await using _leader = create({ isLeader: () => true }, { refreshIntervalMs: 5 })
    await waitFor(isBound, { what: 'the binding' })
  })

  it('that nobody has is taken away when its events come, and one that somebody has is not', async () => {
    await broker.bind(broker.topology.accountRoute(ACCOUNT))
    const own = await epoch()
    await using interest = create()
    interest.orphaned(ACCOUNT)
    interest.orphaned(ACCOUNT)
    await waitFor(async () => !(await isBound()), { what: 'the binding to go' })
    await waitFor(async () => (await epoch()) !== own, { what: 'another epoch' })

    await interest.ensure(ACCOUNT)
    await using elsewhere = create()
    elsewhere.orphaned(ACCOUNT)
    await elsewhere.ensure(ACCOUNT)
    expect(await isBound()).toBe(true)
  })
})

describe('interest that begins while it lapses', () => {
  /** A lapsed mark, confirmed and bound as it was while it was kept. */
  async function lapsedMark(): Promise<void> {
    await store.interest.keep(ACCOUNT, -1)
    await store.interest.confirm(ACCOUNT)
    await broker.bind(broker.topology.accountRoute(ACCOUNT))
  }

  /** Ports whose every step happens when the scheduler says so; `isAlive` false: the process is gone. */
  function steps(
    wait: (step: string) => Promise<unknown>,
    onUnbound: () => void = () => undefined,
  ): Pick<InterestDeps, 'broker' | 'interest' | 'channels'> {
    const after =
      <Args extends unknown[], Out>(step: string, call: (...args: Args) => Promise<Out>) =>
      async (...args: Args): Promise<Out> => {
        await wait(step)
        return call(...args)
      }
    return {
      broker: {
        ...broker,
        bind: after('bind', broker.bind),
        unbind: after('unbind', async (route) => {
          await broker.unbind(route)
          onUnbound()
        }),
      },
      interest: {
        ...store.interest,
        keep: after('keep', store.interest.keep),
        confirm: after('confirm', store.interest.confirm),
        lapse: after('lapse', store.interest.lapse),
        end: after('end', store.interest.end),
      },
      channels: { forget: after('forget', store.channels.forget) },
    }
  }

  it('ends bound and confirmed, and tells by another epoch that it was unbound, in every order of the steps', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        await store.close()
        await broker.close()
        store = createMemoryStore()
        broker = createMemoryBroker({ topology: createTopology(), log: silentLog })
        await lapsedMark()
        let wasUnbound = false
        const wait = (step: string) => scheduler.schedule(Promise.resolve(), step)
        await using lapsing = create(
          steps(wait, () => {
            wasUnbound = true
          }),
        )
        await using beginning = create(steps(wait))
        lapsing.orphaned(ACCOUNT)
        let seen: string | undefined
        const begun = beginning.ensure(ACCOUNT).then(async () => {
          wasUnbound = false
          seen = await epoch()
        })
        await scheduler.waitIdle()
        await begun
        await scheduler.waitIdle()
        expect(await isBound()).toBe(true)
        expect(await isKept()).toBe(true)
        if (wasUnbound) expect(await epoch()).not.toBe(seen)
      }),
      { numRuns: 300 },
    )
  })

  it('has a new epoch whenever it was unbound, though who let it lapse died at any step', async () => {
    for (let stepsToLive = 0; stepsToLive <= 4; stepsToLive++) {
      await lapsedMark()
      const before = await epoch()
      let left = stepsToLive
      let wasUnbound = false
      const died = Promise.withResolvers<void>()
      const dying = create(
        steps(
          async () => {
            if (left-- > 0) return
            died.resolve()
            throw away()
          },
          () => {
            wasUnbound = true
          },
        ),
      )
      dying.orphaned(ACCOUNT)
      if (stepsToLive < 4) await died.promise
      else await waitFor(async () => !(await isKept()), { what: 'the end', intervalMs: 1 })
      await using interest = create()
      await interest.ensure(ACCOUNT)
      expect(await isBound()).toBe(true)
      expect(wasUnbound).toBe(stepsToLive >= 2)
      if (wasUnbound) expect(await epoch()).not.toBe(before)
      await dying[Symbol.asyncDispose]()
      await store.interest.keep(ACCOUNT, 60_000)
      await store.close()
      store = createMemoryStore()
    }
  })
})
