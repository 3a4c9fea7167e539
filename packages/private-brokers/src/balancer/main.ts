/**
 * A TCP balancer for the loopback address: each connection goes to the next backend that accepts it, and ends with it.
 *
 * Arguments: the port to listen on, then the ports of the backends.
 */
import { connect, createServer, type Socket } from 'node:net'

const [port = 0, ...backends] = process.argv.slice(2).map(Number)
let turn = 0

createServer({ noDelay: true }, (client) => {
  client.on('error', () => client.destroy())
  forward(client, turn++, backends.length)
}).listen(port, '127.0.0.1')

function forward(client: Socket, index: number, triesLeft: number): void {
  const backend = backends[index % backends.length]
  if (backend === undefined || triesLeft === 0) return void client.destroy()
  const server = connect({ port: backend, host: '127.0.0.1', noDelay: true })
  let isConnected = false
  server.once('connect', () => {
    isConnected = true
    client.pipe(server)
    server.pipe(client)
  })
  server.on('error', () => {
    if (isConnected) client.destroy()
    else forward(client, index + 1, triesLeft - 1)
  })
  server.once('close', () => {
    if (isConnected) client.destroy()
  })
  client.once('close', () => server.destroy())
}
