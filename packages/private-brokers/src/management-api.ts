/** RabbitMQ's management HTTP API: as much of it as is needed here. */

const REQUEST_TIMEOUT_MS = 10_000

export type ManagementApi = ReturnType<typeof createManagementApi>

/** `managementUrl` carries the credentials; errors name the request, never those. */
export function createManagementApi(managementUrl: string) {
  const { username, password, origin } = new URL(managementUrl)
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const headers = {
    authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
    'content-type': 'application/json',
  }

  async function request(method: string, path: string, body?: object): Promise<Response> {
    const response = await fetch(`${origin}/api${path}`, {
      method,
      headers,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (response.ok) return response
    throw new Error(`${method} ${origin}/api${path}: ${response.status} ${await response.text()}`)
  }

  return {
    async get(path: string): Promise<unknown> {
      return (await request('GET', path)).json()
    },
    async put(path: string, body: object): Promise<void> {
      await (await request('PUT', path, body)).body?.cancel()
    },
    async delete(path: string): Promise<void> {
      await (await request('DELETE', path)).body?.cancel()
    },
    /** Whether the broker behind it works. */
    async answers(): Promise<boolean> {
      return request('GET', '/overview').then(
        (response) => response.json().then(() => true),
        () => false,
      )
    },
  }
}
