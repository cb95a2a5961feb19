import { type RawBuilder, sql, type SqlBool } from 'kysely';
import { RUN } from '#domain/delivery/breaker.ts';
import type { Candidate } from '#domain/delivery/choose-sender.ts';
import type { Tx } from '#db/database.ts';
import { addressFacts } from '#schemas/channel-facts.ts';
import type { ClaimedBatch } from './claim-batch.ts';

/** `isHeld` (src/domain/delivery/breaker.ts) for a row of `senders` under alias `s`. */
export const heldSql = (isLife: RawBuilder<SqlBool>): RawBuilder<SqlBool> =>
  sql`(s.breaker_opened_at IS NOT NULL AND NOT (${isLife} AND s.breaker_run < ${sql.lit(RUN)}))`;

/** How soon a batch that waits for a stopped sender is looked at again, in case the sender was released by hand in the database. */
const STOPPED_MS = 5_000;
/** The least wait where a probe is due but another batch has just taken it. */
const AT_LEAST_MS = 200;

/**
 * Lets everything of this lane that is due for a stopped or held sender wait until the sender may be tried again, in one
 * statement. Looked at one by one, a million waiting people were 2,000 claims a second that did nothing.
 *
 * @returns milliseconds until then, for the caller's own batch; 0 when nothing holds this lane any more
 */
export async function deferBatches(tx: Tx, batch: ClaimedBatch): Promise<number> {
  const { tenantId, senderId, lane } = batch;
  const probeAt = sql.ref(lane === 'life' ? 's.breaker_life_probe_at' : 's.breaker_probe_at');
  const held = heldSql(sql<SqlBool>`${sql.lit(lane === 'life')}`);
  const { rows } = await sql<{ wait_ms: number }>`
    WITH until AS (
      SELECT CASE
          WHEN s.stopped_at IS NOT NULL THEN now() + ${STOPPED_MS} * interval '1 ms'
          WHEN ${held} THEN GREATEST(${probeAt}, now() + ${AT_LEAST_MS} * interval '1 ms')
        END AS at
      FROM senders s
      WHERE s.tenant_id = ${tenantId} AND s.id = ${senderId}
    ), waiting AS (
      SELECT b.id
      FROM batches b
      WHERE b.tenant_id = ${tenantId}
        AND b.lane = ${lane}::message_class
        AND b.state = 'planned'
        AND b.due_at <= now()
        AND b.sender_id = ${senderId}
        AND (SELECT at FROM until) IS NOT NULL
      ORDER BY b.id
      FOR UPDATE SKIP LOCKED
    ), deferred AS (
      UPDATE batches b SET due_at = u.at
      FROM waiting w, until u
      WHERE b.tenant_id = ${tenantId} AND b.id = w.id
    )
    SELECT COALESCE(ceil(extract(epoch FROM at - now()) * 1000), 0)::float8 AS wait_ms FROM until`.execute(tx);
  return rows[0]?.wait_ms ?? 0;
}

/**
 * Makes what waited for a sender due now, since the sender may be used again. Batches with quiet hours keep their time, which may
 * be the morning; they wait for what is left of their deferral.
 */
export async function wakeBatches(tx: Tx, tenantId: number, senderId: number): Promise<void> {
  await sql`
    WITH waiting AS (
      SELECT b.id
      FROM batches b
      WHERE b.tenant_id = ${tenantId}
        AND b.lane = ANY (enum_range(NULL::message_class))
        AND b.state = 'planned'
        AND b.due_at > now()
        AND b.sender_id = ${senderId}
        AND b.open_until IS NULL
      ORDER BY b.id
      FOR UPDATE SKIP LOCKED
    )
    UPDATE batches b SET due_at = now()
    FROM waiting w
    WHERE b.tenant_id = ${tenantId} AND b.id = w.id`.execute(tx);
}

/** How soon people are looked at again whom no sender that is well may write to. */
const ASIDE_MS = 10_000;

/**
 * Sets those of these people aside who opted out of a stand-in. For life each number's own list holds: people who said STOP to
 * this number alone wait for another one, and are not given up.
 * @returns the ids of those who wait
 */
export async function setAside(tx: Tx, batch: ClaimedBatch, standInId: number, ids: readonly string[]): Promise<Set<string>> {
  const { tenantId, messageId, channel, wave, fence } = batch;
  const { column } = addressFacts(channel);
  if (column === null || ids.length === 0) return new Set();
  const address = sql.ref(`r.${column}`);
  const { rows } = await sql<{ id: string }>`
    INSERT INTO deliveries AS d (message_id, recipient_id, channel, wave, tenant_id, sender_id, batch_id, state, fence, code, next_at)
    SELECT
      ${messageId}, r.id, ${channel}::channel, ${wave}, ${tenantId}, ${standInId}, b.id,
      'pending',
      ${fence},
      'stand_in_refused',
      now() + ${ASIDE_MS} * interval '1 ms'
    FROM recipients r
    JOIN batches b ON b.tenant_id = r.tenant_id AND b.id = ${batch.id}
    WHERE r.tenant_id = ${tenantId}
      AND r.id = ANY (${ids}::bigint[])
      AND b.fence = ${fence}
      AND b.state = 'claimed'
      AND b.lease_until > now()
      AND EXISTS (
        SELECT 1 FROM suppressions x
        WHERE x.tenant_id = ${tenantId} AND x.sender_id = ${standInId} AND x.address = ${address}
      )
    ORDER BY r.id
    ON CONFLICT (message_id, recipient_id, channel, wave) DO UPDATE SET
      next_at = excluded.next_at,
      sender_id = excluded.sender_id
      WHERE d.state = 'pending'
    RETURNING d.recipient_id AS id`.execute(tx);
  return new Set(rows.map((row) => row.id));
}

type SenderOfLane = Pick<ClaimedBatch, 'tenantId' | 'senderId' | 'lane'>;

/** The sender itself and those that may stand in for it: same channel, class and drill, and never a simulated one for a real one. */
export async function standIns(tx: Tx, { tenantId, senderId, lane }: SenderOfLane): Promise<Candidate[]> {
  const { rows } = await sql<Candidate>`
    SELECT s.id, s.account, s.stopped_at IS NULL AND s.breaker_opened_at IS NULL AS well
    FROM senders mine
    JOIN senders s ON s.tenant_id = mine.tenant_id
      AND s.channel = mine.channel
      AND s.drill = mine.drill
      AND s.simulated = mine.simulated
    WHERE mine.tenant_id = ${tenantId}
      AND mine.id = ${senderId}
      AND (s.id = mine.id OR ${lane}::message_class = ANY (s.classes))
    ORDER BY s.id`.execute(tx);
  return rows;
}
