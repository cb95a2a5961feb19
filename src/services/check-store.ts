import { sql } from 'kysely';
import type { Deps } from './context.ts';

/** Writes to the database, as readiness needs it: a standby that only reads, or a full disk, throws. */
export async function checkStore(deps: Pick<Deps, 'db'>): Promise<void> {
  await sql`UPDATE installation SET stopped_by = stopped_by`.execute(deps.db.across);
}
