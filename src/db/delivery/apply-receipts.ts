import { sql } from 'kysely';
import type { Evidence } from '#domain/delivery/evidence.ts';
import type { DeliveryRef } from '#domain/delivery/refs.ts';
import type { Tx } from '#db/database.ts';

export interface ReceiptRow extends Pick<Evidence, 'state' | 'providerId' | 'code'> {
  readonly ref: DeliveryRef;
}

const RANK_SQL = sql`CASE d.state WHEN 'delivered' THEN 4 WHEN 'failed' THEN 3 WHEN 'accepted' THEN 2 WHEN 'cancelled' THEN 2 WHEN 'expired' THEN 2 WHEN 'unknown' THEN 1 WHEN 'unresolved' THEN 1 ELSE 0 END`;
const OLD_STATES = ['pending', 'attempting', 'unknown', 'unresolved', 'accepted', 'failed', 'cancelled', 'expired'] as const;
const NEW_STATES = ['accepted', 'failed', 'delivered'] as const;

/**
 * Projects receipts onto deliveries: the state moves only when the rank rises (same table as `RANK`), so receipts may
 * be repeated, late or out of order. At most one receipt per delivery in `receipts`. Rows are locked in key order.
 *
 * @returns the deliveries that moved
 */
export async function applyReceipts(tx: Tx, tenantId: number, receipts: readonly ReceiptRow[]): Promise<{ messageId: string; recipientId: string }[]> {
  const { rows } = await sql<{ message_id: string; recipient_id: string }>`
    WITH given AS (
      SELECT * FROM unnest(${receipts.map((r) => r.ref.messageId)}::bigint[], ${receipts.map((r) => r.ref.recipientId)}::bigint[], ${receipts.map((r) => r.ref.channel)}::channel[],
        ${receipts.map((r) => r.ref.wave)}::smallint[], ${receipts.map((r) => r.state)}::delivery_state[], ${receipts.map((r) => RANK_OF[r.state])}::smallint[],
        ${receipts.map((r) => r.providerId)}::text[], ${receipts.map((r) => r.code)}::text[]) g(message_id, recipient_id, channel, wave, state, rank, provider_id, code)
    ), before AS (
      SELECT d.message_id, d.recipient_id, d.channel, d.wave, d.state AS was, g.state AS becomes, g.provider_id, g.code
      FROM deliveries d JOIN given g ON d.message_id = g.message_id AND d.recipient_id = g.recipient_id AND d.channel = g.channel AND d.wave = g.wave
      WHERE d.tenant_id = ${tenantId} AND g.rank > ${RANK_SQL}
      ORDER BY d.message_id, d.recipient_id FOR UPDATE OF d
    ), moved AS (
      UPDATE deliveries d SET state = b.becomes, provider_id = COALESCE(d.provider_id, b.provider_id), code = COALESCE(b.code, d.code), next_at = NULL,
        settled_at = COALESCE(d.settled_at, clock_timestamp())
      FROM before b
      WHERE d.message_id = b.message_id AND d.recipient_id = b.recipient_id AND d.channel = b.channel AND d.wave = b.wave
      RETURNING d.message_id, d.recipient_id, d.channel, d.wave, b.was, b.becomes
    ), counted AS (
      INSERT INTO delivery_counts AS c (message_id, wave, channel, slot, tenant_id, ${sql.join([...OLD_STATES, 'delivered'].map((s) => sql.ref(s)))})
      SELECT message_id, wave, channel, pg_backend_pid() % 16, ${tenantId},
        ${sql.join([...OLD_STATES, 'delivered'].map((s) => delta(s)))}
      FROM moved GROUP BY message_id, wave, channel ORDER BY message_id, wave, channel
      ON CONFLICT (message_id, wave, channel, slot) DO UPDATE SET ${sql.join([...OLD_STATES, 'delivered'].map((s) => sql`${sql.ref(s)} = c.${sql.ref(s)} + ${sql.ref(`excluded.${s}`)}`))}
    )
    SELECT message_id, recipient_id FROM moved`.execute(tx);
  return rows.map((row) => ({ messageId: row.message_id, recipientId: row.recipient_id }));
}

const RANK_OF: Record<ReceiptRow['state'], number> = { accepted: 2, failed: 3, delivered: 4 };

const delta = (state: string) => {
  const left = sql`count(*) FILTER (WHERE was = ${sql.lit(state)})`;
  return NEW_STATES.some((s) => s === state) ? sql`count(*) FILTER (WHERE becomes = ${sql.lit(state)}) - ${left}` : sql`-${left}`;
};
