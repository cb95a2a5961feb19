import { type Kysely, sql } from 'kysely';
import type { Schema } from '#schemas/database.ts';
import type { Channel, MessageClass } from '#schemas/delivery.ts';
import type { Tx } from './database.ts';

export interface ClaimedBatch {
  tenantId: number;
  id: string;
  messageId: string;
  wave: number;
  lane: MessageClass;
  channel: Channel;
  senderId: number;
  fromId: string;
  toId: string;
  ids: string[];
  /** People of `ids` that already have a delivery row. */
  marked: number;
  fence: number;
  /** Claims that ended without a word; the slices get smaller with each. */
  crashes: number;
  /**
   * Of its sender at the claim. `watched`: its provider failed a moment ago, so that good calls are news as well; `asks`:
   * it stands in for one that failed, and somebody should find out whether that one works again.
   */
  health: 'well' | 'watched' | 'asks' | 'open' | 'stopped';
}

/**
 * How long a silent worker is waited for: others take over within 15 s. Each mark renews it, and so does a heartbeat
 * while calls are slow. Database clock only.
 */
export const LEASE_SECONDS = 10;
export const HEARTBEAT_MS = 3_000;

/** Keeps a claim while its calls are under way. A lease that has passed is not revived: others may have the batch. */
export async function renewLease(tx: Tx, batch: ClaimedBatch): Promise<void> {
  await sql`
    UPDATE batches SET lease_until = now() + ${LEASE_SECONDS} * interval '1 second'
    WHERE tenant_id = ${batch.tenantId} AND id = ${batch.id} AND fence = ${batch.fence} AND state = 'claimed' AND lease_until > now()`.execute(tx);
}

/** Takes one due batch of the lane that is of none of the senders in `skip`, fairly between tenants, and raises its fence. */
export async function claimBatch(across: Kysely<Schema>, lane: MessageClass, worker: string, skip: readonly number[] = []): Promise<ClaimedBatch | undefined> {
  const { rows } = await sql<{
    tenant_id: number;
    id: string;
    message_id: string;
    wave: number;
    channel: Channel;
    sender_id: number;
    from_id: string;
    to_id: string;
    ids: string[];
    marked: number;
    fence: number;
    crashes: number;
    health: ClaimedBatch['health'];
  }>`SELECT * FROM claim_batch(${lane}::message_class, ${worker}, ${`${LEASE_SECONDS} seconds`}::interval, ${[...skip]}::integer[])`.execute(across);
  const row = rows[0];
  return (
    row && {
      tenantId: row.tenant_id,
      id: row.id,
      messageId: row.message_id,
      wave: row.wave,
      lane,
      channel: row.channel,
      senderId: row.sender_id,
      fromId: row.from_id,
      toId: row.to_id,
      ids: row.ids,
      marked: row.marked,
      fence: row.fence,
      crashes: row.crashes,
      health: row.health,
    }
  );
}

/**
 * Ends a claim: `done` when nobody of the batch waits any more, else planned again for when the first one is due.
 * `retryInMs` puts it back as it is (the sender or the tenant is stopped for now).
 */
export async function releaseBatch(tx: Tx, batch: ClaimedBatch, retryInMs: number | null): Promise<void> {
  await sql`
    WITH waiting AS (
      SELECT min(d.next_at) AS next_at, count(*) AS n FROM deliveries d
      WHERE d.message_id = ${batch.messageId} AND d.batch_id = ${batch.id} AND d.next_at IS NOT NULL AND d.state IN ('pending', 'unknown')
    )
    UPDATE batches b SET
      state = CASE WHEN w.n = 0 AND b.marked >= cardinality(b.ids) THEN 'done' ELSE 'planned' END,
      due_at = GREATEST(now() + ${retryInMs ?? 0} * interval '1 ms', CASE WHEN b.marked >= cardinality(b.ids) THEN COALESCE(w.next_at, now()) ELSE now() END),
      lease_until = NULL, claimed_by = NULL, crashes = 0
    FROM waiting w
    WHERE b.tenant_id = ${batch.tenantId} AND b.id = ${batch.id} AND b.fence = ${batch.fence} AND b.state = 'claimed'`.execute(tx);
}

/** Gives a claim up before its lease ends: its worker failed and makes no call for it any more. The sweep does the rest. */
export async function endClaim(tx: Tx, batch: ClaimedBatch): Promise<void> {
  await sql`UPDATE batches SET lease_until = now() WHERE tenant_id = ${batch.tenantId} AND id = ${batch.id} AND fence = ${batch.fence} AND state = 'claimed'`.execute(
    tx,
  );
}

/**
 * A lease passed: whoever held it is dead or frozen. What it had marked and not settled is in doubt; the rest goes on.
 * Guarded again here, so any number of sweeps may find the same batch.
 */
export async function expireLease(
  tx: Tx,
  tenantId: number,
  batchId: string,
  windowMs: Record<MessageClass, number>,
): Promise<{ messageId: string; lane: MessageClass; inDoubt: number } | undefined> {
  const { rows } = await sql<{ message_id: string; lane: MessageClass; wave: number; channel: Channel; fence: number; from_id: string; to_id: string }>`
    UPDATE batches SET state = 'planned', lease_until = NULL, claimed_by = NULL, crashes = crashes + 1, due_at = now()
    WHERE tenant_id = ${tenantId} AND id = ${batchId} AND state = 'claimed' AND lease_until < now()
    RETURNING message_id, lane, wave, channel, fence, from_id, to_id`.execute(tx);
  const batch = rows[0];
  if (!batch) return undefined;
  const doubt = await sql<{ n: number }>`
    WITH moved AS (
      UPDATE deliveries d SET state = 'unknown', code = 'lease_passed', next_at = now() + ${windowMs[batch.lane]} * interval '1 ms'
      WHERE d.message_id = ${batch.message_id} AND d.recipient_id BETWEEN ${batch.from_id} AND ${batch.to_id}
        AND d.batch_id = ${batchId} AND d.state = 'attempting' AND d.fence <= ${batch.fence}
      RETURNING 1
    ), counted AS (
      INSERT INTO delivery_counts AS c (message_id, wave, channel, slot, tenant_id, attempting, unknown)
      SELECT ${batch.message_id}::bigint, ${batch.wave}::smallint, ${batch.channel}::channel, pg_backend_pid() % 16, ${tenantId}::integer, -count(*), count(*) FROM moved HAVING count(*) > 0
      ON CONFLICT (message_id, wave, channel, slot) DO UPDATE SET attempting = c.attempting + excluded.attempting, unknown = c.unknown + excluded.unknown
    )
    SELECT count(*)::int AS n FROM moved`.execute(tx);
  return { messageId: batch.message_id, lane: batch.lane, inDoubt: doubt.rows[0]?.n ?? 0 };
}
