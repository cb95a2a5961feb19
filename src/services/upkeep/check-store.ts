import { sql } from 'kysely';
import type { Deps } from '#services/context.ts';

/**
 * Writes to the database, as readiness needs it. It throws on a standby, which only reads, and on a full disk.
 * @returns whether it was restored from a backup and nobody has released it yet
 */
export async function checkStore(deps: Pick<Deps, 'db'>): Promise<{ restored: boolean }> {
  const { rows } = await sql<{
    restored: boolean;
  }>`UPDATE installation SET stopped_by = stopped_by RETURNING stopped_by IS NOT DISTINCT FROM 'restore' AS restored`.execute(deps.db.across);
  return { restored: rows[0]?.restored ?? false };
}
