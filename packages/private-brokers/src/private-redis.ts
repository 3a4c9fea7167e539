/** A Redis of one's own. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKeptProcess } from './kept-process.ts'
import { answerOn, freePort } from './ports.ts'
import { type PrivateServer, startPrivateServer } from './private-server.ts'
import { ensureServers } from './server-binaries.ts'

export interface PrivateRedis extends PrivateServer {
  readonly redisUrl: string
}

export interface PrivateRedisOptions {
  /** Default `always`: a write is on the disk before it is answered, so `kill` loses nothing that was answered. */
  appendfsync?: 'always' | 'everysec'
}

/** Serves when it resolves. The caller disposes of it; it ends with this process in any case. */
export async function startPrivateRedis({
  appendfsync = 'always',
}: PrivateRedisOptions = {}): Promise<PrivateRedis> {
  const { redis } = await ensureServers(['redis'])
  const folder = await mkdtemp(join(tmpdir(), 'signalbox-redis-'))
  const port = await freePort()
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir: folder,
    appendonly: 'yes',
    appendfsync,
    save: '',
    loglevel: 'warning',
  }
  const server = await startPrivateServer({
    name: 'Redis',
    folder,
    launch: () =>
      startKeptProcess({
        name: 'redis',
        folder,
        env: {},
        command: [
          redis,
          ...Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]),
        ],
      }),
    // n.b. it listens before it has read its file, and refuses everything meanwhile.
    serves: async () => (await answerOn(port, 'PING\r\n')).startsWith('+PONG'),
  })
  return { ...server, redisUrl: `redis://127.0.0.1:${port}` }
}
