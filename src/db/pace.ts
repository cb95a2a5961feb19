import { sql } from 'kysely';
import type { Tx } from './database.ts';

/** How much of the configured rate is used: the hundredth left takes up what timers and the network move about. */
const USED = sql.lit(0.99);

export interface Reservation {
  /** Milliseconds from now until the first unit may leave. */
  waitMs: number;
  /** Milliseconds between two units; 0 when the sender has no rate. */
  unitMs: number;
}

/**
 * Takes `units` from a sender's budget: one row is moved forward by the time they need, so all workers together keep
 * the rate, whatever their own clocks say. Senders without a rate cost nothing.
 */
export async function reservePace(tx: Tx, tenantId: number, senderId: number, units: number): Promise<Reservation> {
  const { rows } = await sql<{ wait_ms: number; unit_ms: number }>`
    UPDATE senders SET next_free_at = GREATEST(next_free_at, clock_timestamp()) + ${units} / (units_per_second * throttle * ${USED}) * interval '1 second'
    WHERE tenant_id = ${tenantId} AND id = ${senderId} AND units_per_second IS NOT NULL
    RETURNING GREATEST(0, extract(epoch FROM next_free_at - clock_timestamp()) * 1000 - ${units} / (units_per_second * throttle * ${USED}) * 1000)::float8 AS wait_ms,
      (1000 / (units_per_second * throttle * ${USED}))::float8 AS unit_ms`.execute(tx);
  const row = rows[0];
  return { waitMs: row?.wait_ms ?? 0, unitMs: row?.unit_ms ?? 0 };
}

/**
 * The provider said "too fast": a fifth off, never below a twentieth of the configured rate. Once a second at most: the
 * refusals of slices that were under way together are one piece of news.
 */
export async function lowerPace(tx: Tx, tenantId: number, senderId: number): Promise<void> {
  await sql`UPDATE senders SET throttle = GREATEST(0.05, throttle * 0.8), throttled_at = now()
    WHERE tenant_id = ${tenantId} AND id = ${senderId} AND units_per_second IS NOT NULL AND COALESCE(throttled_at < now() - interval '1 second', true)`.execute(
    tx,
  );
}

/** A slice went through without a refusal: climb back by two parts in a hundred of the configured rate. */
export async function raisePace(tx: Tx, tenantId: number, senderId: number): Promise<void> {
  await sql`UPDATE senders SET throttle = LEAST(1, throttle + 0.02) WHERE tenant_id = ${tenantId} AND id = ${senderId} AND throttle < 1`.execute(tx);
}

export async function stopSender(tx: Tx, tenantId: number, senderId: number, reason: string): Promise<void> {
  await sql`UPDATE senders SET stopped_at = now(), stopped_reason = ${reason} WHERE tenant_id = ${tenantId} AND id = ${senderId} AND stopped_at IS NULL`.execute(
    tx,
  );
}
