import { sql } from 'kysely';
import type { Tx } from './database.ts';

/**
 * Keeps a message's first and last call. All slots of all workers share that one row, so it is written at most twice a
 * second while calls go on, and at the end of each batch.
 */
export async function noteCalls(tx: Tx, tenantId: number, messageId: string, agoMs: number, always: boolean): Promise<void> {
  // By the database's clock: a worker whose own is an hour off must not show it.
  const at = sql`(clock_timestamp() - ${agoMs} * interval '1 ms')`;
  await sql`
    UPDATE messages SET first_call_at = COALESCE(first_call_at, ${at}), last_call_at = GREATEST(last_call_at, ${at})
    WHERE tenant_id = ${tenantId} AND id = ${messageId} AND (first_call_at IS NULL OR (last_call_at < ${at} AND (${always}::boolean OR last_call_at < ${at} - interval '500 ms')))`.execute(
    tx,
  );
}
