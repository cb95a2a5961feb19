import { sql } from 'kysely';
import { RANK } from '#domain/delivery/delivery.ts';
import type { Evidence } from '#domain/delivery/evidence.ts';
import type { DeliveryRef } from '#domain/delivery/refs.ts';
import type { Tx } from '#db/database.ts';
import { DELIVERY_STATES } from '#schemas/delivery.ts';

export interface ReceiptRow extends Pick<Evidence, 'state' | 'providerId' | 'code'> {
  readonly ref: DeliveryRef;
}

/** `RANK` in SQL, so that there is one table of ranks. */
const RANK_SQL = sql`CASE d.state ${sql.join(
  DELIVERY_STATES.map((state) => sql`WHEN ${sql.lit(state)} THEN ${sql.lit(RANK[state])}`),
  sql` `,
)} END`;
/** The states that a receipt can move a delivery out of: all but the one of the highest rank. */
const OLD_STATES = DELIVERY_STATES.filter((state) => state !== 'delivered');

interface MovedDelivery {
  readonly messageId: string;
  readonly recipientId: string;
}
const NEW_STATES = ['accepted', 'failed', 'delivered'] as const;
const COUNTED = [...OLD_STATES, 'delivered'] as const;

/** By how much the number of deliveries in a state changes. */
const delta = (state: string) => {
  const left = sql`count(*) FILTER (WHERE was = ${sql.lit(state)})`;
  return NEW_STATES.some((s) => s === state) ? sql`count(*) FILTER (WHERE becomes = ${sql.lit(state)}) - ${left}` : sql`-${left}`;
};

const COUNTED_COLUMNS = sql.join(COUNTED.map((state) => sql.ref(state)));
const COUNTED_DELTAS = sql.join(COUNTED.map(delta));
const COUNTED_SUMS = sql.join(COUNTED.map((state) => sql`${sql.ref(state)} = c.${sql.ref(state)} + ${sql.ref(`excluded.${state}`)}`));

/** The receipts as rows. */
const givenSql = (receipts: readonly ReceiptRow[]) => sql`
      SELECT * FROM unnest(
        ${receipts.map((r) => r.ref.messageId)}::bigint[],
        ${receipts.map((r) => r.ref.recipientId)}::bigint[],
        ${receipts.map((r) => r.ref.channel)}::channel[],
        ${receipts.map((r) => r.ref.wave)}::smallint[],
        ${receipts.map((r) => r.state)}::delivery_state[],
        ${receipts.map((r) => RANK[r.state])}::smallint[],
        ${receipts.map((r) => r.providerId)}::text[],
        ${receipts.map((r) => r.code)}::text[]
      ) g(message_id, recipient_id, channel, wave, state, rank, provider_id, code)`;

/**
 * Projects receipts onto deliveries: the state moves only when its `RANK` rises, so receipts may
 * be repeated, late or out of order. At most one receipt per delivery in `receipts`. Rows are locked in key order.
 *
 * @returns the deliveries that moved
 */
export async function applyReceipts(tx: Tx, tenantId: number, receipts: readonly ReceiptRow[]): Promise<MovedDelivery[]> {
  const { rows } = await sql<{ message_id: string; recipient_id: string }>`
    WITH given AS (${givenSql(receipts)}
    ), before AS (
      SELECT d.message_id, d.recipient_id, d.channel, d.wave, d.state AS was, g.state AS becomes, g.provider_id, g.code
      FROM deliveries d
      JOIN given g ON d.message_id = g.message_id AND d.recipient_id = g.recipient_id AND d.channel = g.channel AND d.wave = g.wave
      WHERE d.tenant_id = ${tenantId} AND g.rank > ${RANK_SQL}
      ORDER BY d.message_id, d.recipient_id
      FOR UPDATE OF d
    ), moved AS (
      UPDATE deliveries d SET
        state = b.becomes,
        provider_id = COALESCE(d.provider_id, b.provider_id),
        code = COALESCE(b.code, d.code),
        next_at = NULL,
        settled_at = COALESCE(d.settled_at, clock_timestamp())
      FROM before b
      WHERE d.message_id = b.message_id AND d.recipient_id = b.recipient_id AND d.channel = b.channel AND d.wave = b.wave
      RETURNING d.message_id, d.recipient_id, d.channel, d.wave, b.was, b.becomes
    ), counted AS (
      INSERT INTO delivery_counts AS c (message_id, wave, channel, slot, tenant_id, ${COUNTED_COLUMNS})
      SELECT message_id, wave, channel, pg_backend_pid() % 16, ${tenantId}, ${COUNTED_DELTAS}
      FROM moved
      GROUP BY message_id, wave, channel
      ORDER BY message_id, wave, channel
      ON CONFLICT (message_id, wave, channel, slot) DO UPDATE SET ${COUNTED_SUMS}
    )
    SELECT message_id, recipient_id FROM moved`.execute(tx);
  return rows.map((row) => ({ messageId: row.message_id, recipientId: row.recipient_id }));
}
