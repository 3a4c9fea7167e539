/**
 * The process that callbacks go to. It answers each path in its own way and tells its parent, over IPC, what has arrived.
 *
 * | path            | answer                         |
 * | --------------- | ------------------------------ |
 * | `/slow/<ms>`    | 204 after so many milliseconds |
 * | `/dead`         | none                           |
 * | any other       | 204                            |
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const TELL_EVERY_MS = 5

/** An event that arrived: where, and how long after it was published. */
export type Arrival = [path: string, latencyMs: number]
export type ServerMessage = { port: number } | { arrivals: Arrival[] }

let arrivals: Arrival[] = []
const tell = (message: ServerMessage) => process.send?.(message)

const server = createServer((request, response) => {
  const { url: path = '/' } = request
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const { timestamp } = JSON.parse(Buffer.concat(chunks).toString()) as { timestamp?: string }
    arrivals.push([path, timestamp === undefined ? 0 : Date.now() - Date.parse(timestamp)])
    if (path === '/dead') return
    const [, kind, delayMs] = path.split('/')
    if (kind === 'slow') setTimeout(() => response.writeHead(204).end(), Number(delayMs))
    else response.writeHead(204).end()
  })
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
tell({ port: (server.address() as AddressInfo).port })
setInterval(() => {
  if (arrivals.length === 0) return
  tell({ arrivals })
  arrivals = []
}, TELL_EVERY_MS)
process.on('disconnect', () => process.exit(0))
