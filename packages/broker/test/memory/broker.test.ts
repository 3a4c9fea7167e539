import { createMemoryBroker } from '../../src/memory/broker.ts'
import { describeBroker } from '../broker-contract.ts'

describeBroker('memory', {
  open: async (topology, log) => createMemoryBroker({ topology, log }),
})
