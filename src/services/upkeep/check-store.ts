import { sql } from 'kysely';
import type { Deps } from '#services/context.ts';

/**
 * Writes to the database, since a process is ready only where it can write.
 * @throws the database's error, for example on a standby that only reads, or where the disk is full
 * @returns whether it was restored from a backup and nobody has released it yet
 */
export async function checkStore(deps: Pick<Deps, 'db'>): Promise<{ restored: boolean }> {
  const { rows } = await sql<{ restored: boolean }>`
    UPDATE installation
    SET stopped_by = stopped_by
    RETURNING stopped_by IS NOT DISTINCT FROM 'restore' AS restored`.execute(deps.db.across);
  return { restored: rows[0]?.restored ?? false };
}
