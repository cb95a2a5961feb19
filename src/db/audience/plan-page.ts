import { type SqlBool, type RawBuilder, sql } from 'kysely';
import type { Channel, MessageClass } from '#schemas/delivery.ts';
import { MAY_HAVE_IT } from '#domain/delivery/delivery.ts';
import { addressSql, consentSql, idHashSql, reachSql } from './audience-sql.ts';
import type { Tx } from '#db/database.ts';

/** What one page of planning needs to know of its wave. */
export interface PagePlan {
  tenantId: number;
  messageId: string;
  wave: number;
  waveId: string;
  lane: MessageClass;
  channels: readonly Channel[];
  mode: 'first' | 'parallel';
  senders: Partial<Record<Channel, number>>;
  /** Per channel the other senders whose opt-outs hold as well. */
  optOutsOf: Partial<Record<Channel, readonly number[]>>;
  /** Who belongs to it, over alias `r`. */
  condition: RawBuilder<SqlBool>;
  /** Correction: each channel is used only where the message it follows may have arrived by it. */
  followsId: string | null;
  /** Fallback: a channel that was tried for a person is not tried again, and who has none left is not listed twice. */
  untried: boolean;
  /** Whether the page counts toward the frozen audience (a first wave, or joins). */
  freezes: boolean;
  cursorId: string;
  maxId: string | null;
  limit: number;
  /** The wave names its people, and this page takes all of them off its list. */
  listed: boolean;
  now: Date;
  /** When people of each zone may be called, where quiet hours apply. */
  windows: ZoneWindows | null;
}

interface Window {
  dueAt: Date;
  openUntil: Date;
}

export interface ZoneWindows {
  zones: readonly ({ zone: string } & Window)[];
  /** For people without a zone, or of one that is not listed. */
  otherwise: Window;
}

export interface PlannedPage {
  /** People read; fewer than the limit means that the wave is planned. */
  people: number;
  lastId: string;
  batches: number;
}

/** People of a batch: large enough that SQL costs little a person, small enough that many workers share a message. */
export const BATCH_SIZE = 500;

/**
 * Plans one page in one statement: reads people by keyset, gives each a channel (or every channel that reaches them),
 * writes the batches, counts, cursor and hash. People whom nothing reaches get a `failed` row with the reason at once,
 * on the first channel, so that states always sum to the audience.
 */
export async function planPage(tx: Tx, plan: PagePlan): Promise<PlannedPage> {
  const { tenantId, messageId, wave, lane } = plan;
  const reach = (channel: Channel) => {
    const base = sql`(${consentSql(lane)} AND ${reachSql(channel, plan.senders[channel], plan.optOutsOf[channel])})`;
    if (plan.untried)
      return sql`(${base} AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = ${messageId} AND d.recipient_id = r.id AND d.channel = ${channel}::channel))`;
    return plan.followsId === null ? base : sql`(${base} AND ${mayHaveIt(plan.followsId, channel)})`;
  };
  const available = sql.join(plan.channels.map((channel) => sql`CASE WHEN ${reach(channel)} THEN ${channel}::channel END`));
  // Nearly every wave gives a person one channel: no array is made for each, and none taken apart.
  const one = plan.mode === 'first' || plan.channels.length === 1;
  const chosen = one ? sql`COALESCE(${available}, NULL) AS channel` : sql`array_remove(ARRAY[${available}], NULL) AS channels`;
  const assigned = one ? sql`page p` : sql`page p CROSS JOIN LATERAL unnest(p.channels) c(channel)`;
  const senderOf = sql`CASE g.channel ${sql.join(
    Object.entries(plan.senders).map(([channel, id]) => sql`WHEN ${channel}::channel THEN ${id}::integer`),
    sql` `,
  )} END`;
  const held = heldByZone(plan.windows);
  const { rows } = await sql<{ people: number; last_id: string; batches: number }>`
    WITH page AS MATERIALIZED (
      SELECT r.id, ${idHashSql} AS hash, ${chosen}, ${consentSql(lane)} AS consented, ${held.zone} AS zone,
        ${sql.join(
          plan.channels.map((channel) => addressSql(channel)),
          sql` OR `,
        )} AS addressed
      FROM recipients r
      WHERE r.tenant_id = ${tenantId} AND r.id > ${plan.cursorId} AND (${plan.maxId}::bigint IS NULL OR r.id <= ${plan.maxId}) AND r.erased_at IS NULL AND ${plan.condition}
      ORDER BY r.id LIMIT ${plan.limit}
    ), gathered AS MATERIALIZED (
      SELECT channel, p.zone, array_agg(p.id ORDER BY p.id) AS ids FROM ${assigned} WHERE channel IS NOT NULL GROUP BY channel, p.zone
    ), batched AS (
      INSERT INTO batches (tenant_id, message_id, wave, lane, channel, sender_id, from_id, to_id, ids, time_zone, due_at, open_until)
      SELECT ${tenantId}, ${messageId}, ${wave}, ${lane}::message_class, g.channel, ${Object.keys(plan.senders).length > 0 ? senderOf : sql`0`},
        b.ids[1], b.ids[cardinality(b.ids)], b.ids, ${held.columns}
      FROM gathered g CROSS JOIN LATERAL (
        SELECT g.ids[n + 1 : n + ${BATCH_SIZE}::int] AS ids FROM generate_series(0, cardinality(g.ids) - 1, ${BATCH_SIZE}::int) n OFFSET 0
      ) b ${held.join} ORDER BY b.ids[1]
      RETURNING 1
    ), unreached AS (
      INSERT INTO deliveries (message_id, recipient_id, channel, wave, tenant_id, state, code, marked_at)
      SELECT ${messageId}, p.id, ${plan.channels[0]}::channel, ${wave}, ${tenantId}, 'failed',
        CASE WHEN NOT p.addressed THEN 'unreachable' WHEN NOT p.consented THEN 'no_consent' ELSE 'suppressed' END, now()
      FROM page p WHERE ${one ? sql`p.channel IS NULL` : sql`cardinality(p.channels) = 0`} AND NOT ${plan.untried}
      ON CONFLICT DO NOTHING
      RETURNING 1
    ), counted AS (
      INSERT INTO delivery_counts AS c (message_id, wave, channel, slot, tenant_id, pending, failed)
      SELECT ${messageId}, ${wave}, x.channel, pg_backend_pid() % 16, ${tenantId}, sum(x.pending), sum(x.failed)
      FROM (SELECT g.channel, sum(cardinality(g.ids)) AS pending, 0 AS failed FROM gathered g GROUP BY g.channel
        UNION ALL SELECT ${plan.channels[0]}::channel, 0, count(*) FROM unreached HAVING count(*) > 0) x
      GROUP BY x.channel
      ON CONFLICT (message_id, wave, channel, slot) DO UPDATE SET pending = c.pending + excluded.pending, failed = c.failed + excluded.failed
    ), frozen AS (
      UPDATE messages m SET frozen_count = m.frozen_count + f.n, frozen_hash = m.frozen_hash # f.hash
      FROM (SELECT count(*) AS n, COALESCE(bit_xor(hash), 0) AS hash FROM page) f
      WHERE m.tenant_id = ${tenantId} AND m.id = ${messageId} AND f.n > 0 AND ${plan.freezes}
    ), moved AS (
      UPDATE waves w SET cursor_id = GREATEST(w.cursor_id, f.last_id), planned = w.planned + f.n,
        state = CASE WHEN ${plan.listed} OR f.n < ${plan.limit} THEN 'planned' ELSE 'planning' END,
        planned_at = CASE WHEN ${plan.listed} OR f.n < ${plan.limit} THEN ${plan.now}::timestamptz END,
        recipient_ids = CASE WHEN ${plan.listed} THEN '{}' ELSE w.recipient_ids END
      FROM (SELECT count(*) AS n, COALESCE(max(id), 0) AS last_id FROM page) f
      WHERE w.tenant_id = ${tenantId} AND w.id = ${plan.waveId}
    )
    SELECT (SELECT count(*)::int FROM page) AS people, (SELECT COALESCE(max(id), 0)::text FROM page) AS last_id, (SELECT count(*)::int FROM batched) AS batches`.execute(
    tx,
  );
  const row = rows[0];
  return { people: row?.people ?? 0, lastId: row?.last_id ?? plan.cursorId, batches: row?.batches ?? 0 };
}

/** Quiet hours set people of different zones apart, each batch with its own time; without them nothing is added to the statement. */
function heldByZone(windows: ZoneWindows | null) {
  if (!windows) return { zone: sql`NULL::text`, columns: sql`NULL::text, now(), NULL::timestamptz`, join: sql`` };
  const { zones, otherwise } = windows;
  return {
    zone: sql`CASE WHEN r.time_zone = ANY (${zones.map((one) => one.zone)}::text[]) THEN r.time_zone END`,
    columns: sql`g.zone, GREATEST(now(), COALESCE(z.due_at, ${otherwise.dueAt})), COALESCE(z.open_until, ${otherwise.openUntil})`,
    join: sql`LEFT JOIN unnest(${zones.map((one) => one.zone)}::text[], ${zones.map((one) => one.dueAt)}::timestamptz[],
      ${zones.map((one) => one.openUntil)}::timestamptz[]) z(zone, due_at, open_until) ON z.zone = g.zone`,
  };
}

/** Whether a message may have reached the person (alias `r`), by this channel or by any. */
export function mayHaveIt(messageId: string, channel?: Channel): RawBuilder<SqlBool> {
  return sql`EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = ${messageId} AND d.recipient_id = r.id
    AND d.state IN (${sql.join(MAY_HAVE_IT.map((state) => sql.lit(state)))}) ${channel ? sql`AND d.channel = ${channel}::channel` : sql``})`;
}
