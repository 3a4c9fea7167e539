/** Redis's own time, for scripts: the clocks of those who call them need not agree. */

/** Lua: `now` in Unix milliseconds. */
export const NOW_MS = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`
