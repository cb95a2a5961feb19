import { sql } from 'kysely';
import type { Deps } from '#services/context.ts';

/**
 * Deletes what is kept for a time alone, of all tenants: the first answers of idempotency keys after 24 hours, the visitors of
 * a share page (keyed hashes of the day) after that day and the next, the addresses that asked to join a day after their link
 * ended, and sessions after half an hour without use.
 */
export async function forgetOld(deps: Pick<Deps, 'db'>): Promise<void> {
  await sql`SELECT forget_old()`.execute(deps.db.across);
}
