import { sql } from 'kysely';
import type { Database } from '#db/database.ts';

/**
 * The login of this database, where the queue's tables (schema `bullmq`) are another's; undefined where it owns them or there
 * are none yet.
 */
export async function strangerToQueue(db: Pick<Database, 'across'>): Promise<string | undefined> {
  const { rows } = await sql<{ name: string; mine: boolean }>`
    SELECT session_user AS name, pg_has_role(session_user, c.relowner, 'USAGE') AS mine
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'bullmq' AND c.relkind = 'r' LIMIT 1`.execute(
    db.across,
  );
  const [table] = rows;
  return table && !table.mine ? table.name : undefined;
}
