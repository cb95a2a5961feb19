/** The machine-readable part of a Node or library error, for logs and decisions; looks through one level of `cause`. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'cause' in error ? errorCode(error.cause) : 'unknown';
}
