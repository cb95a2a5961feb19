import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { prepared } from '#db/prepared.ts';

/** How much of the configured rate is used. What is left over is how late a call may be. */
const SHARE = 0.984;
/** Units a second that are used of a sender's rate as it is now. */
const PACE = sql`(units_per_second * throttle * ${sql.lit(SHARE)})`;
/** Taken off for what no process can see: the way to the carrier, its own clock's milliseconds, and how well our clocks agree. */
const UNSEEN_MS = 3;
/**
 * How late a call may leave after its place in the budget. As many units as the rate allows a second take 1000 / 0.984 ms of
 * the budget, so no second sees more than the rate while no call is later than the difference
 * (docs/decisions/2026-11-23-late-calls.md).
 */
export const TOLERANCE_MS = 1_000 / SHARE - 1_000 - UNSEEN_MS;

export interface Reservation {
  /** When the first unit may leave, by the database's clock: milliseconds since the epoch. */
  startAt: number;
  /** The database's time when it was taken. */
  now: number;
  /** Milliseconds between two units. */
  unitMs: number;
}

/**
 * Takes `units` from a sender's budget: one row is moved forward by the time they need, so all workers together keep
 * the rate, whatever their own clocks say.
 *
 * @returns undefined for a sender without a rate
 */
export async function reservePace(tx: Tx, tenantId: number, senderId: number, units: number): Promise<Reservation | undefined> {
  return (await reserve(tx, { tenantId, senderId, units }))[0];
}

interface SenderPlace {
  tenantId: number;
  senderId: number;
}

const reserve = prepared<SenderPlace & { units: number }, Reservation>(
  'reserve_pace',
  (at) => sql`
    UPDATE senders SET next_free_at = GREATEST(next_free_at, clock_timestamp()) + ${at('units')}::float8 / ${PACE} * interval '1 second'
    WHERE tenant_id = ${at('tenantId')} AND id = ${at('senderId')} AND units_per_second IS NOT NULL
    RETURNING
      (extract(epoch FROM next_free_at) * 1000 - ${at('units')}::float8 / ${PACE} * 1000)::float8 AS "startAt",
      (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now,
      (1000 / ${PACE})::float8 AS "unitMs"`,
);

/**
 * Lowers a sender's rate after its provider said "too fast": by a fifth, and never below a twentieth of the configured rate. It
 * happens once a second at most, since the refusals of slices that were under way together are one piece of news.
 */
export async function lowerPace(tx: Tx, tenantId: number, senderId: number): Promise<void> {
  await sql`
    UPDATE senders SET
      throttle = GREATEST(0.05, throttle * 0.8),
      throttled_at = now()
    WHERE tenant_id = ${tenantId}
      AND id = ${senderId}
      AND units_per_second IS NOT NULL
      AND COALESCE(throttled_at < now() - interval '1 second', true)`.execute(tx);
}

/**
 * Raises a sender's rate again after a slice went through without a refusal: by two parts in a hundred of the configured rate,
 * at some four slices a second. In the half minute after a refusal it is two in a thousand, since the limit is near: at two in a
 * hundred the limit was met again after a second or two, and 3.4 % of all calls were refused.
 */
export const raisePace = (tx: Tx, tenantId: number, senderId: number): Promise<unknown> => raise(tx, { tenantId, senderId });

const raise = prepared<SenderPlace, unknown>(
  'raise_pace',
  (at) => sql`
    UPDATE senders SET throttle = LEAST(1, throttle + CASE WHEN throttled_at > now() - interval '30 seconds' THEN 0.002 ELSE 0.02 END)
    WHERE tenant_id = ${at('tenantId')} AND id = ${at('senderId')} AND throttle < 1`,
);

/** Stops a sender. @returns false when it was stopped already; the first reason stays */
export async function stopSender(tx: Tx, tenantId: number, senderId: number, reason: string): Promise<boolean> {
  const { rows } = await sql`
    UPDATE senders SET stopped_at = now(), stopped_reason = ${reason}
    WHERE tenant_id = ${tenantId} AND id = ${senderId} AND stopped_at IS NULL
    RETURNING 1`.execute(tx);
  return rows.length > 0;
}
