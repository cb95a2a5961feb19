import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { prepared } from '#db/prepared.ts';

const STOP_KEY = 0x4d55_5354; // "MUST"
/** Used together with a tenant's id, which is a space of keys of its own. */
const LAUNCH_KEY = 0x4d55_4c41; // "MULA"

/**
 * Marks hold this lock shared, and a stop takes it alone. So a stop waits for the marks under way (milliseconds), and every
 * mark that begins after it sees the stop in its own snapshot: no call starts whose mark commits after the stop.
 * It must be a statement of its own, before the mark, since a statement's snapshot is taken when it starts.
 */
export const holdAgainstStop = (tx: Tx): Promise<unknown> => hold(tx, {});

const hold = prepared<object, unknown>('hold_against_stop', () => sql`SELECT pg_advisory_xact_lock_shared(${sql.lit(STOP_KEY)})`);

/**
 * Does the same for a mark under a ceiling, and holds a second lock, which the launches of its tenant take alone. So every mark
 * has either seen a message as launched or was committed before its launch was, and whoever marks for that message counts it.
 * Without it a message that was launched, planned and marked beside a mark under way counted neither, and a person got both.
 */
export const holdAgainstStopAndLaunch = (tx: Tx, tenantId: number): Promise<unknown> => holdBoth(tx, { tenantId });

const holdBoth = prepared<{ tenantId: number }, unknown>(
  'hold_against_stop_and_launch',
  (at) => sql`
    SELECT
      pg_advisory_xact_lock_shared(${sql.lit(STOP_KEY)}::bigint),
      pg_advisory_xact_lock_shared(${sql.lit(LAUNCH_KEY)}, ${at('tenantId')}::integer)`,
);

/** Waits for the tenant's marks under way (milliseconds). It is the last thing that a launch under a ceiling does before it commits. */
export const lockForLaunch = (tx: Tx, tenantId: number): Promise<unknown> => launch(tx, { tenantId });

const launch = prepared<{ tenantId: number }, unknown>(
  'lock_for_launch',
  (at) => sql`SELECT pg_advisory_xact_lock(${sql.lit(LAUNCH_KEY)}, ${at('tenantId')}::integer)`,
);

export async function lockForStop(tx: Tx): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(${STOP_KEY})`.execute(tx);
}
