import { silentLog } from '@signalbox/kit'
import { leaseRedis } from '@signalbox/testkit'
import { afterAll } from 'vitest'
import { openRedisStore } from '../../src/index.ts'
import { describeStore } from '../store-contract.ts'

const lease = await leaseRedis()
afterAll(() => lease.release())

describeStore('Redis', {
  open: (bounds) =>
    openRedisStore({
      url: lease.redisUrl,
      namespace: lease.namespace,
      log: silentLog,
      ...(bounds ? { bounds } : {}),
    }),
  runs: 40,
})
