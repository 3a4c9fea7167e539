import { defineConfig } from 'vitest/config'

const exclude = ['**/node_modules/**']

/** The projects that talk to a real RabbitMQ and Redis get them from here, once for the whole run. */
const REAL_BROKERS = './packages/testkit/src/global-setup.ts'

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{packages,services,scripts}/**/*.test.ts'],
          exclude: [...exclude, '**/*.int.test.ts'],
          testTimeout: 10_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['{packages,services}/**/*.int.test.ts'],
          exclude,
          globalSetup: [REAL_BROKERS],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test-e2e/**/*.e2e.test.ts'],
          exclude,
          globalSetup: [REAL_BROKERS],
          testTimeout: 90_000,
          hookTimeout: 90_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
