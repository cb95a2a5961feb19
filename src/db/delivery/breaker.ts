import { sql } from 'kysely';
import { type Breaker, hear, type Hearing, LIFE_PROBE_LEASE_MS, PROBE_LEASE_MS } from '#domain/delivery/breaker.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { ClaimedBatch } from './claim-batch.ts';
import type { Tx } from '#db/database.ts';
import { wakeBatches } from './sender-batches.ts';

interface Row {
  breaker: Breaker;
  now: number;
}

const ms = (column: string) => sql`(extract(epoch FROM ${sql.ref(column)}) * 1000)::float8`;
const time = (value: number | null) => sql`to_timestamp(${value === null ? null : value / 1000}::float8)`;

/** Locks the row, so that two slices that speak at once are heard one after the other. */
async function lockBreaker(tx: Tx, tenantId: number, senderId: number): Promise<Row | undefined> {
  const { rows } = await sql<Breaker & { now: number }>`
    SELECT
      breaker_run AS run,
      ${ms('breaker_window_at')} AS "windowAt",
      breaker_calls AS calls,
      breaker_failed AS failed,
      ${ms('breaker_opened_at')} AS "openedAt",
      breaker_code AS code,
      breaker_probes AS probes,
      ${ms('breaker_probe_at')} AS "probeAt",
      ${ms('breaker_life_probe_at')} AS "lifeProbeAt",
      (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now
    FROM senders
    WHERE tenant_id = ${tenantId} AND id = ${senderId}
    FOR UPDATE`.execute(tx);
  if (!rows[0]) return undefined;
  const { now, ...breaker } = rows[0];
  return { breaker, now };
}

/**
 * Writes down what a slice said of its sender's provider. It is called only with news (a failure, a probe, or a slice of a
 * sender that is being watched), so a healthy sender costs nothing.
 *
 * @returns what it did to the breaker
 */
export async function noteHearing(tx: Tx, batch: ClaimedBatch, heard: Hearing): Promise<'opened' | 'closed' | null> {
  const { tenantId, senderId } = batch;
  const row = await lockBreaker(tx, tenantId, senderId);
  if (!row) return null;
  const next = hear(row.breaker, heard, row.now);
  await sql`
    UPDATE senders SET
      breaker_run = ${next.run},
      breaker_window_at = ${time(next.windowAt)},
      breaker_calls = ${next.calls},
      breaker_failed = ${next.failed},
      breaker_opened_at = ${time(next.openedAt)},
      breaker_code = ${next.code},
      breaker_probes = ${Math.min(next.probes, 1_000)},
      breaker_probe_at = ${time(next.probeAt)},
      breaker_life_probe_at = ${time(next.lifeProbeAt)}
    WHERE tenant_id = ${tenantId} AND id = ${senderId}`.execute(tx);
  if ((row.breaker.openedAt === null) === (next.openedAt === null)) return null;
  if (next.openedAt !== null) return 'opened';
  await wakeBatches(tx, tenantId, senderId);
  return 'closed';
}

/** Gives a probe back, since nobody of the batch that took it is to be called: another batch may ask at once. */
export async function returnProbe(tx: Tx, tenantId: number, senderId: number): Promise<void> {
  await sql`
    UPDATE senders SET
      breaker_probe_at = now(),
      breaker_life_probe_at = now()
    WHERE tenant_id = ${tenantId} AND id = ${senderId} AND breaker_opened_at IS NOT NULL`.execute(tx);
}

/** Life asks a sender too that has not been asked for so long, although another one stands in: this one goes before it. */
const FORGOTTEN_MS = 300_000;
const overdueMs = (lane: MessageClass): number => (lane === 'life' ? FORGOTTEN_MS : 0);

/**
 * Asks to be the batch that finds out whether an open sender works again. While no probe has come back, ops and bulk get one
 * every ten seconds at most, and life one every five; life has no reason to ask while another sender stands in.
 */
export async function takeProbe(tx: Tx, { tenantId, senderId, lane }: ClaimedBatch, standIn: boolean): Promise<boolean> {
  const soon = lane === 'life' && !standIn;
  const due = sql.ref(soon ? 'breaker_life_probe_at' : 'breaker_probe_at');
  // An answer may take as long as a call may, so nobody waits for it: the next batch asks meanwhile.
  const leaseMs = soon ? LIFE_PROBE_LEASE_MS : PROBE_LEASE_MS;
  const { rows } = await sql`
    UPDATE senders SET ${due} = now() + ${leaseMs} * interval '1 ms'
    WHERE tenant_id = ${tenantId}
      AND id = ${senderId}
      AND stopped_at IS NULL
      AND breaker_opened_at IS NOT NULL
      AND ${due} <= now() - ${soon ? 0 : overdueMs(lane)} * interval '1 ms'
    RETURNING 1`.execute(tx);
  return rows.length > 0;
}

/**
 * Does the same for a sender that goes before this batch's own and failed: nothing is planned for it any more, so no batch of its
 * own asks.
 */
export async function takeProbeOfFirst(tx: Tx, { tenantId, senderId, lane }: ClaimedBatch): Promise<number | null> {
  const { rows } = await sql<{ id: number }>`
    UPDATE senders SET breaker_probe_at = now() + ${PROBE_LEASE_MS} * interval '1 ms'
    WHERE tenant_id = ${tenantId}
      AND breaker_opened_at IS NOT NULL
      AND breaker_probe_at <= now() - ${overdueMs(lane)} * interval '1 ms'
      AND id = (
        SELECT o.id
        FROM senders s
        JOIN senders o ON o.tenant_id = s.tenant_id AND o.channel = s.channel AND o.drill = s.drill AND o.simulated = s.simulated
        WHERE s.tenant_id = ${tenantId}
          AND s.id = ${senderId}
          AND o.id < s.id
          AND ${lane}::message_class = ANY (o.classes)
          AND o.stopped_at IS NULL
          AND o.breaker_opened_at IS NOT NULL
        ORDER BY o.id
        LIMIT 1
      )
    RETURNING id`.execute(tx);
  return rows[0]?.id ?? null;
}
