import { sql } from 'kysely';
import type { Deps } from './context.ts';
import { LoadCache } from './load-cache.ts';

/** An entry is two small numbers, and this is enough for all messages of which a link is opened in a week. */
const TENANTS_KEPT = 10_000;
const tenants = new WeakMap<object, LoadCache<number>>();

/**
 * The tenant that a message belongs to. That never changes, so the database is asked once.
 * @returns undefined for a message that does not exist
 */
export async function tenantOfMessage(deps: Pick<Deps, 'db'>, messageId: string | number): Promise<number | undefined> {
  let cache = tenants.get(deps.db);
  if (!cache) {
    cache = new LoadCache(TENANTS_KEPT, Number.POSITIVE_INFINITY);
    tenants.set(deps.db, cache);
  }
  return cache.get(String(messageId), 0, async () => {
    const { rows } = await sql<{ tenant: number | null }>`SELECT message_tenant(${messageId}) AS tenant`.execute(deps.db.across);
    return rows[0]?.tenant ?? undefined;
  });
}
