import { createMemoryStore } from '../../src/index.ts'
import { describeStore } from '../store-contract.ts'

describeStore('memory', { open: (bounds) => createMemoryStore(bounds), runs: 100 })
