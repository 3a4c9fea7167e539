import { ConflictError, UnavailableError } from '@signalbox/kit'
import { ReplyError } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../../src/redis/errors.ts'

describe('an error of Redis', () => {
  it.each([
    'LOADING Redis is loading the dataset in memory',
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    'MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to no.',
    'BUSY Redis is busy running a script.',
    'MISCONF Redis is configured to save RDB snapshots, but it is unable to persist to disk.',
    'CLUSTERDOWN The cluster is down',
    'NOAUTH Authentication required.',
    'WRONGPASS invalid username-password pair or user is disabled.',
    "ERR Error running script (call to f_1): @user_script:3: @user_script: 3: -OOM command not allowed when used memory > 'maxmemory'.",
  ])('reads as unavailable and keeps its cause: %s', (message) => {
    const cause = new ReplyError(message)
    const error = errorOf(cause)
    expect(error).toBeInstanceOf(UnavailableError)
    expect(error).toMatchObject({ code: 'SB_STORE_UNAVAILABLE', retryable: true, cause })
  })

  it('of the connection reads as unavailable', () => {
    const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), {
      syscall: 'connect',
    })
    expect(errorOf(cause)).toMatchObject({ code: 'SB_STORE_UNAVAILABLE', cause })
  })

  it.each([
    'WRONGTYPE Operation against a key holding the wrong kind of value',
    'ERR wrong number of arguments',
    'ERR user_script:3: the word LOADINGS is not a code',
  ])('stays what it is when our command is at fault: %s', (message) => {
    const error = new ReplyError(message)
    expect(errorOf(error)).toBe(error)
  })

  it('does not carry the arguments of the command, which may be secret', () => {
    const command = { name: 'auth', args: ['default', 'hunter2'] }
    const error = errorOf(Object.assign(new ReplyError('WRONGPASS no'), { command }))
    expect(error).not.toHaveProperty('cause.command')
    expect(error).not.toHaveProperty('command')
  })

  it('that is ours already passes', () => {
    const error = new ConflictError('two of them')
    expect(errorOf(error)).toBe(error)
  })
})
