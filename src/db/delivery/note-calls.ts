import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { prepared } from '#db/prepared.ts';

/**
 * Keeps the times of a message's first and last call. All slots of all workers share that one row, so it is written at most
 * twice a second while calls go on, and at the end of each batch.
 * @param agoMs how long ago the call was
 * @param always whether it is written although it was within the last half second
 */
export const noteCalls = (tx: Tx, tenantId: number, messageId: string, agoMs: number, always: boolean): Promise<unknown> =>
  note(tx, { tenantId, messageId, agoMs, always });

interface Values {
  tenantId: number;
  messageId: string;
  agoMs: number;
  always: boolean;
}

const note = prepared<Values, unknown>('note_calls', (at) => {
  // The database's clock counts: a worker whose own is an hour off must not show it.
  const time = sql`(clock_timestamp() - ${at('agoMs')}::float8 * interval '1 ms')`;
  return sql`
    UPDATE messages SET
      first_call_at = COALESCE(first_call_at, ${time}),
      last_call_at = GREATEST(last_call_at, ${time})
    WHERE tenant_id = ${at('tenantId')}
      AND id = ${at('messageId')}
      AND (
        first_call_at IS NULL
        OR (last_call_at < ${time} AND (${at('always')}::boolean OR last_call_at < ${time} - interval '500 ms'))
      )`;
});
