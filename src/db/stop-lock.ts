import { sql } from 'kysely';
import type { Tx } from './database.ts';
import { prepared } from './prepared.ts';

const STOP_KEY = 0x4d55_5354; // "MUST"

/**
 * Marks hold this lock shared, a stop takes it alone. So a stop waits for the marks under way (milliseconds), and every
 * mark that begins after it sees the stop in its own snapshot: no call starts whose mark commits after the stop.
 * It must be a statement of its own, before the mark: a statement's snapshot is taken when it starts.
 */
export const holdAgainstStop = (tx: Tx): Promise<unknown> => hold(tx, {});

const hold = prepared<object, unknown>('hold_against_stop', () => sql`SELECT pg_advisory_xact_lock_shared(${sql.lit(STOP_KEY)})`);

export async function lockForStop(tx: Tx): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(${STOP_KEY})`.execute(tx);
}
