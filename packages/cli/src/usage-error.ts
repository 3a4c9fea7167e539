/** What was asked for on the command line cannot be done as asked: exit code 2, with a message that names the option. */
export class UsageError extends Error {
  override name = 'UsageError'
}
