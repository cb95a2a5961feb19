import { sql } from 'kysely';
import type { Tx } from './database.ts';
import { prepared } from './prepared.ts';

/**
 * How much of the configured rate is used: what is left takes up what timers and the network move about. With 0.99 the
 * busiest second of four workers at 400 a second saw 404.
 */
const USED = sql.lit(0.984);

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
  const row = (await reserve(tx, { tenantId, senderId, units }))[0];
  return { waitMs: row?.wait_ms ?? 0, unitMs: row?.unit_ms ?? 0 };
}

interface SenderPlace {
  tenantId: number;
  senderId: number;
}

const reserve = prepared<SenderPlace & { units: number }, { wait_ms: number; unit_ms: number }>(
  'reserve_pace',
  (at) => sql`
    UPDATE senders SET next_free_at = GREATEST(next_free_at, clock_timestamp()) + ${at('units')}::float8 / (units_per_second * throttle * ${USED}) * interval '1 second'
    WHERE tenant_id = ${at('tenantId')} AND id = ${at('senderId')} AND units_per_second IS NOT NULL
    RETURNING GREATEST(0, extract(epoch FROM next_free_at - clock_timestamp()) * 1000 - ${at('units')}::float8 / (units_per_second * throttle * ${USED}) * 1000)::float8 AS wait_ms,
      (1000 / (units_per_second * throttle * ${USED}))::float8 AS unit_ms`,
);

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

/**
 * A slice went through without a refusal: climb back, four slices a second, by two parts in a hundred of the configured
 * rate; in the half minute after a refusal by two in a thousand, since the limit is near: at two in a hundred it was met
 * again after a second or two, and 3.4 % of all calls were refused.
 */
export const raisePace = (tx: Tx, tenantId: number, senderId: number): Promise<unknown> => raise(tx, { tenantId, senderId });

const raise = prepared<SenderPlace, unknown>(
  'raise_pace',
  (at) =>
    sql`UPDATE senders SET throttle = LEAST(1, throttle + CASE WHEN throttled_at > now() - interval '30 seconds' THEN 0.002 ELSE 0.02 END) WHERE tenant_id = ${at('tenantId')} AND id = ${at('senderId')} AND throttle < 1`,
);

/** @returns false when it was stopped already; the first reason stays */
export async function stopSender(tx: Tx, tenantId: number, senderId: number, reason: string): Promise<boolean> {
  const { rows } = await sql`
    UPDATE senders SET stopped_at = now(), stopped_reason = ${reason} WHERE tenant_id = ${tenantId} AND id = ${senderId} AND stopped_at IS NULL RETURNING 1`.execute(
    tx,
  );
  return rows.length > 0;
}
