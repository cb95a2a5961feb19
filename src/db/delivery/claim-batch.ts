import { type Kysely, sql } from 'kysely';
import type { Schema } from '#schemas/database.ts';
import type { Channel, MessageClass } from '#schemas/delivery.ts';
import type { Tx } from '#db/database.ts';
import { prepared } from '#db/prepared.ts';

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
  /** How many people of `ids` already have a delivery row. */
  marked: number;
  fence: number;
  /** How many claims of it ended without a word; the slices get smaller with each. */
  crashes: number;
  /**
   * How its sender was at the claim. `watched`: its provider failed a moment ago, so that good calls are news as well. `asks`: it
   * stands in for one that failed, and a batch should find out whether that one works again.
   */
  health: 'well' | 'watched' | 'asks' | 'open' | 'stopped';
}

/**
 * How long a silent worker is waited for, so that others take over within 15 s. Each mark renews the lease, and so does a
 * heartbeat while calls are slow. Only the clock of the database counts.
 */
export const LEASE_SECONDS = 10;
export const HEARTBEAT_MS = 3_000;

/** Keeps a claim while its calls are under way. A lease that has passed is not revived, since others may have the batch. */
export const renewLease = (tx: Tx, { tenantId, id, fence }: ClaimedBatch): Promise<unknown> => renew(tx, { tenantId, id, fence });

const renew = prepared<Pick<ClaimedBatch, 'tenantId' | 'id' | 'fence'>, unknown>(
  'renew_lease',
  (at) => sql`
    UPDATE batches SET lease_until = now() + ${sql.lit(LEASE_SECONDS)} * interval '1 second'
    WHERE tenant_id = ${at('tenantId')}
      AND id = ${at('id')}
      AND fence = ${at('fence')}
      AND state = 'claimed'
      AND lease_until > now()`,
);

/** Takes one due batch of the lane that is of none of the senders in `skip`, fairly between tenants, and raises its fence. */
export async function claimBatch(across: Kysely<Schema>, lane: MessageClass, worker: string, skip = NONE): Promise<MaybeClaimed> {
  return (await claimBatches(across, lane, worker, { skip, more: 0 }))[0];
}

const NONE: readonly number[] = [];
type MaybeClaimed = ClaimedBatch | undefined;

/**
 * Does the same as `claimBatch`. Where that batch is of a few people whom nobody has called yet, and its sender is well and has
 * no rate, up to `more` batches of the same kind and sender come with it.
 */
export async function claimBatches(
  across: Kysely<Schema>,
  lane: MessageClass,
  worker: string,
  { skip, more }: { skip: readonly number[]; more: number },
): Promise<ClaimedBatch[]> {
  const { rows } = await sql<Omit<ClaimedBatch, 'lane'>>`
    SELECT
      tenant_id AS "tenantId",
      id,
      message_id AS "messageId",
      wave,
      channel,
      sender_id AS "senderId",
      from_id AS "fromId",
      to_id AS "toId",
      ids,
      marked,
      fence,
      crashes,
      health
    FROM claim_batch(
      ${lane}::message_class,
      ${worker},
      ${`${LEASE_SECONDS} seconds`}::interval,
      ${[...skip]}::integer[],
      ${more}
    )`.execute(across);
  return rows.map((row) => ({ ...row, lane }));
}

/**
 * Ends a claim. The batch is `done` when nobody of it waits any more; otherwise it is planned again for when the first person is
 * due. `retryInMs` puts it back as it is, where the sender or the tenant is stopped for now.
 */
export const releaseBatch = (tx: Tx, { tenantId, id, messageId, fence }: ClaimedBatch, retryInMs: number | null): Promise<unknown> =>
  release(tx, { tenantId, id, messageId, fence, retryInMs: retryInMs ?? 0 });

const release = prepared<Pick<ClaimedBatch, 'tenantId' | 'id' | 'messageId' | 'fence'> & { retryInMs: number }, unknown>(
  'release_batch',
  (at) => sql`
    WITH waiting AS (
      SELECT min(d.next_at) AS next_at, count(*) AS n
      FROM deliveries d
      WHERE d.message_id = ${at('messageId')}
        AND d.batch_id = ${at('id')}
        AND d.next_at IS NOT NULL
        AND d.state IN ('pending', 'unknown')
    )
    UPDATE batches b SET
      state = CASE WHEN w.n = 0 AND b.marked >= cardinality(b.ids) THEN 'done' ELSE 'planned' END,
      due_at = GREATEST(
        now() + ${at('retryInMs')}::float8 * interval '1 ms',
        CASE WHEN b.marked >= cardinality(b.ids) THEN COALESCE(w.next_at, now()) ELSE now() END
      ),
      lease_until = NULL,
      claimed_by = NULL,
      crashes = 0
    FROM waiting w
    WHERE b.tenant_id = ${at('tenantId')}
      AND b.id = ${at('id')}
      AND b.fence = ${at('fence')}
      AND b.state = 'claimed'`,
);

/** Gives a claim up before its lease ends, since its worker failed and makes no call for it any more. The sweep does the rest. */
export async function endClaim(tx: Tx, batch: ClaimedBatch): Promise<void> {
  await sql`
    UPDATE batches SET lease_until = now()
    WHERE tenant_id = ${batch.tenantId} AND id = ${batch.id} AND fence = ${batch.fence} AND state = 'claimed'`.execute(tx);
}

interface ExpiredClaim {
  message_id: string;
  lane: MessageClass;
  wave: number;
  channel: Channel;
  fence: number;
  from_id: string;
  to_id: string;
}

/**
 * Ends a claim whose lease has passed: the worker that held it is dead or frozen. What it had marked and not settled is in
 * doubt, and the rest goes on. The lease is looked at again here, so any number of sweeps may find the same batch.
 */
export async function expireLease(
  tx: Tx,
  tenantId: number,
  batchId: string,
  windowMs: Record<MessageClass, number>,
): Promise<{ messageId: string; lane: MessageClass; inDoubt: number } | undefined> {
  const { rows } = await sql<ExpiredClaim>`
    UPDATE batches SET state = 'planned', lease_until = NULL, claimed_by = NULL, crashes = crashes + 1, due_at = now()
    WHERE tenant_id = ${tenantId} AND id = ${batchId} AND state = 'claimed' AND lease_until < now()
    RETURNING message_id, lane, wave, channel, fence, from_id, to_id`.execute(tx);
  const batch = rows[0];
  if (!batch) return undefined;
  const doubt = await sql<{ n: number }>`
    WITH moved AS (
      UPDATE deliveries d SET state = 'unknown', code = 'lease_passed', next_at = now() + ${windowMs[batch.lane]} * interval '1 ms'
      WHERE d.message_id = ${batch.message_id}
        AND d.recipient_id BETWEEN ${batch.from_id} AND ${batch.to_id}
        AND d.batch_id = ${batchId}
        AND d.state = 'attempting'
        AND d.fence <= ${batch.fence}
      RETURNING 1
    ), counted AS (
      INSERT INTO delivery_counts AS c (message_id, wave, channel, slot, tenant_id, attempting, unknown)
      SELECT
        ${batch.message_id}::bigint, ${batch.wave}::smallint, ${batch.channel}::channel, pg_backend_pid() % 16, ${tenantId}::integer,
        -count(*),
        count(*)
      FROM moved
      HAVING count(*) > 0
      ON CONFLICT (message_id, wave, channel, slot) DO UPDATE SET
        attempting = c.attempting + excluded.attempting,
        unknown = c.unknown + excluded.unknown
    )
    SELECT count(*)::int AS n FROM moved`.execute(tx);
  return { messageId: batch.message_id, lane: batch.lane, inDoubt: doubt.rows[0]?.n ?? 0 };
}
