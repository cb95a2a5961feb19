import { sql } from 'kysely';
import type { ClaimedBatch } from './claim-batch.ts';
import type { Tx } from '#db/database.ts';
import { plainArray, prepared } from '#db/prepared.ts';

/**
 * Takes back people whom a worker did not call and of whom it could not say so in time: it was cut off, its lease passed, and
 * the sweep took them for doubtful. Proof that there was no call ends the doubt, for a campaign too: they wait again, or are
 * closed if their batch was closed meanwhile. The fence of their mark must still be this claim's own, and the doubt open: what
 * is listed as unresolved has no batch any more that would call it.
 */
export function takeBackLate(tx: Tx, batch: ClaimedBatch, ids: readonly string[]): Promise<unknown> {
  const { tenantId, messageId, wave, channel, id, fence } = batch;
  return late(tx, { tenantId, messageId, wave, channel, batchId: id, fence, ids: plainArray(ids) });
}

type Values = Pick<ClaimedBatch, 'tenantId' | 'messageId' | 'wave' | 'channel' | 'fence'> & { batchId: string; ids: string };

/** What they become whose batch was closed meanwhile, by the state of its message (batch alias `b`). */
const CLOSED = sql`(
          SELECT CASE m.state WHEN 'expired' THEN 'expired' ELSE 'cancelled' END
          FROM messages m
          WHERE m.tenant_id = b.tenant_id AND m.id = b.message_id
        )`;

// The batch's row is locked first: whoever closes the batch has either done so before, or comes again and finds these people.
const late = prepared<Values, unknown>(
  'take_back_late',
  (at) => sql`
    WITH batch AS (
      UPDATE batches b SET due_at = CASE WHEN b.state = 'planned' THEN LEAST(b.due_at, now()) ELSE b.due_at END
      WHERE b.tenant_id = ${at('tenantId')} AND b.id = ${at('batchId')}
      RETURNING CASE WHEN b.state <> 'done' THEN 'pending' ELSE ${CLOSED} END::delivery_state AS becomes
    ), moved AS (
      UPDATE deliveries d SET
        state = batch.becomes,
        code = 'not_called',
        attempts = d.attempts - 1,
        settled_at = clock_timestamp(),
        next_at = CASE WHEN batch.becomes = 'pending' THEN now() END
      FROM batch
      WHERE d.message_id = ${at('messageId')}
        AND d.recipient_id = ANY (${at('ids')}::bigint[])
        AND d.channel = ${at('channel')}::channel
        AND d.wave = ${at('wave')}
        AND d.state = 'unknown'
        AND d.fence = ${at('fence')}
      RETURNING d.state
    )
    INSERT INTO delivery_counts AS c (message_id, wave, channel, slot, tenant_id, unknown, pending, cancelled, expired)
    SELECT
      ${at('messageId')}, ${at('wave')}, ${at('channel')}::channel, pg_backend_pid() % 16, ${at('tenantId')},
      -count(*),
      count(*) FILTER (WHERE state = 'pending'),
      count(*) FILTER (WHERE state = 'cancelled'),
      count(*) FILTER (WHERE state = 'expired')
    FROM moved
    HAVING count(*) > 0
    ON CONFLICT (message_id, wave, channel, slot) DO UPDATE SET
      unknown = c.unknown + excluded.unknown,
      pending = c.pending + excluded.pending,
      cancelled = c.cancelled + excluded.cancelled,
      expired = c.expired + excluded.expired`,
);
