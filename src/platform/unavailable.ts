// These codes of PostgreSQL's Appendix A say "not now" rather than "never".
const SQL_STATES = new Set([
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '53100', // disk_full: accepting fails closed and recovers by itself
  '53200', // out_of_memory
  '53300', // too_many_connections
  '57014', // query_canceled: our statement timeout
  '55P03', // lock_not_available: our lock timeout
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '25006', // read_only_sql_transaction: a standby that is not promoted yet
  '25P03', // idle_in_transaction_session_timeout
]);

const SOCKET_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

// pg gives these errors no code.
const PG_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Cannot use a pool after calling end/i;

/** True when the store could not be reached or would not take the work now, so that the same request may succeed later. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && (SQL_STATES.has(code) || code.startsWith('08') || SOCKET_CODES.has(code))) return true;
  return PG_MESSAGES.test(error.message);
}
