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
  /** The condition for its people, over alias `r`. */
  condition: RawBuilder<SqlBool>;
  /** Set for a correction: each channel is used only where the message that it follows may have arrived by it. */
  followsId: string | null;
  /**
   * True for a fallback: a channel that was tried for a person is not tried again, and a person without another channel is
   * not listed a second time.
   */
  untried: boolean;
  /** Whether the page counts towards the frozen audience, as a first wave and joins do. */
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
  /** The window of people without a zone, or in a zone that is not listed. */
  otherwise: Window;
}

export interface PlannedPage {
  /** How many people were read; fewer than the limit means that the wave is planned. */
  people: number;
  lastId: string;
  batches: number;
}

/** People of a batch. They are enough that SQL costs little a person, and few enough that many workers share a message. */
export const BATCH_SIZE = 500;

/**
 * Plans one page in one statement: it reads people by keyset, gives each a channel (or every channel that reaches them), and
 * writes batches, counts, cursor and hash. A person whom nothing reaches gets a `failed` row with the reason at once, on the
 * first channel, so that the states always add up to the audience.
 */
export async function planPage(tx: Tx, plan: PagePlan): Promise<PlannedPage> {
  const { tenantId, messageId } = plan;
  const assigned = assignment(plan);
  const held = heldByZone(plan.windows);
  const planned = sql`(${plan.listed} OR f.n < ${plan.limit})`;
  const { rows } = await sql<{ people: number; last_id: string; batches: number }>`
    WITH page AS MATERIALIZED (
      ${readPeople(plan, assigned.column, held.zone)}
    ), gathered AS MATERIALIZED (
      SELECT channel, p.zone, array_agg(p.id ORDER BY p.id) AS ids
      FROM ${assigned.people}
      WHERE channel IS NOT NULL
      GROUP BY channel, p.zone
    ), batched AS (
      ${insertBatches(plan, held)}
    ), unreached AS (
      ${insertUnreached(plan, assigned.none)}
    ), counted AS (
      ${addCounts(plan)}
    ), frozen AS (
      UPDATE messages m
      SET frozen_count = m.frozen_count + f.n, frozen_hash = m.frozen_hash # f.hash
      FROM (SELECT count(*) AS n, COALESCE(bit_xor(hash), 0) AS hash FROM page) f
      WHERE m.tenant_id = ${tenantId}
        AND m.id = ${messageId}
        AND f.n > 0
        AND ${plan.freezes}
    ), moved AS (
      UPDATE waves w
      SET cursor_id = GREATEST(w.cursor_id, f.last_id),
        planned = w.planned + f.n,
        state = CASE WHEN ${planned} THEN 'planned' ELSE 'planning' END,
        planned_at = CASE WHEN ${planned} THEN ${plan.now}::timestamptz END,
        recipient_ids = CASE WHEN ${plan.listed} THEN '{}' ELSE w.recipient_ids END
      FROM (SELECT count(*) AS n, COALESCE(max(id), 0) AS last_id FROM page) f
      WHERE w.tenant_id = ${tenantId}
        AND w.id = ${plan.waveId}
    )
    SELECT
      (SELECT count(*)::int FROM page) AS people,
      (SELECT COALESCE(max(id), 0)::text FROM page) AS last_id,
      (SELECT count(*)::int FROM batched) AS batches`.execute(tx);
  const row = rows[0];
  return { people: row?.people ?? 0, lastId: row?.last_id ?? plan.cursorId, batches: row?.batches ?? 0 };
}

type Fragment = RawBuilder<unknown>;

/** Whether the wave may use the channel for the person under alias `r`. */
function mayUse(plan: PagePlan, channel: Channel): Fragment {
  const base = sql`(${consentSql(plan.lane)} AND ${reachSql(channel, plan.senders[channel], plan.optOutsOf[channel])})`;
  const tried = sql`EXISTS (
    SELECT 1
    FROM deliveries d
    WHERE d.message_id = ${plan.messageId}
      AND d.recipient_id = r.id
      AND d.channel = ${channel}::channel)`;
  if (plan.untried) return sql`(${base} AND NOT ${tried})`;
  return plan.followsId === null ? base : sql`(${base} AND ${mayHaveIt(plan.followsId, channel)})`;
}

/**
 * How people get their channels: the column of the page, the page with one row a person and channel, and the condition for
 * people without any. Nearly every wave gives a person one channel, so that no array is made for each and taken apart.
 */
function assignment(plan: PagePlan): { column: Fragment; people: Fragment; none: Fragment } {
  const available = sql.join(plan.channels.map((channel) => sql`CASE WHEN ${mayUse(plan, channel)} THEN ${channel}::channel END`));
  if (plan.mode === 'first' || plan.channels.length === 1)
    return { column: sql`COALESCE(${available}, NULL) AS channel`, people: sql`page p`, none: sql`p.channel IS NULL` };
  return {
    column: sql`array_remove(ARRAY[${available}], NULL) AS channels`,
    people: sql`page p CROSS JOIN LATERAL unnest(p.channels) c(channel)`,
    none: sql`cardinality(p.channels) = 0`,
  };
}

function readPeople(plan: PagePlan, channelColumn: Fragment, zone: Fragment): Fragment {
  const addresses = plan.channels.map((channel) => addressSql(channel));
  return sql`
      SELECT r.id, ${idHashSql} AS hash, ${channelColumn}, ${consentSql(plan.lane)} AS consented, ${zone} AS zone,
        ${sql.join(addresses, sql` OR `)} AS addressed
      FROM recipients r
      WHERE r.tenant_id = ${plan.tenantId}
        AND r.id > ${plan.cursorId}
        AND (${plan.maxId}::bigint IS NULL OR r.id <= ${plan.maxId})
        AND r.erased_at IS NULL
        AND ${plan.condition}
      ORDER BY r.id
      LIMIT ${plan.limit}`;
}

function insertBatches(plan: PagePlan, held: Held): Fragment {
  const senders = Object.entries(plan.senders).map(([channel, id]) => sql`WHEN ${channel}::channel THEN ${id}::integer`);
  const senderId = senders.length > 0 ? sql`CASE g.channel ${sql.join(senders, sql` `)} END` : sql`0`;
  return sql`
      INSERT INTO batches
        (tenant_id, message_id, wave, lane, channel, sender_id, from_id, to_id, ids, time_zone, due_at, open_until)
      SELECT ${plan.tenantId}, ${plan.messageId}, ${plan.wave}, ${plan.lane}::message_class, g.channel, ${senderId},
        b.ids[1], b.ids[cardinality(b.ids)], b.ids, ${held.columns}
      FROM gathered g
      CROSS JOIN LATERAL (
        SELECT g.ids[n + 1 : n + ${BATCH_SIZE}::int] AS ids
        FROM generate_series(0, cardinality(g.ids) - 1, ${BATCH_SIZE}::int) n
        OFFSET 0
      ) b
      ${held.join}
      ORDER BY b.ids[1]
      RETURNING 1`;
}

function insertUnreached(plan: PagePlan, withoutChannel: Fragment): Fragment {
  return sql`
      INSERT INTO deliveries (message_id, recipient_id, channel, wave, tenant_id, state, code, marked_at)
      SELECT ${plan.messageId}, p.id, ${plan.channels[0]}::channel, ${plan.wave}, ${plan.tenantId}, 'failed',
        CASE
          WHEN NOT p.addressed THEN 'unreachable'
          WHEN NOT p.consented THEN 'no_consent'
          ELSE 'suppressed'
        END,
        now()
      FROM page p
      WHERE ${withoutChannel}
        AND NOT ${plan.untried}
      ON CONFLICT DO NOTHING
      RETURNING 1`;
}

function addCounts(plan: PagePlan): Fragment {
  return sql`
      INSERT INTO delivery_counts AS c (message_id, wave, channel, slot, tenant_id, pending, failed)
      SELECT ${plan.messageId}, ${plan.wave}, x.channel, pg_backend_pid() % 16, ${plan.tenantId},
        sum(x.pending), sum(x.failed)
      FROM (
        SELECT g.channel, sum(cardinality(g.ids)) AS pending, 0 AS failed
        FROM gathered g
        GROUP BY g.channel
        UNION ALL
        SELECT ${plan.channels[0]}::channel, 0, count(*)
        FROM unreached
        HAVING count(*) > 0
      ) x
      GROUP BY x.channel
      ON CONFLICT (message_id, wave, channel, slot) DO UPDATE
      SET pending = c.pending + excluded.pending, failed = c.failed + excluded.failed`;
}

interface Held {
  /** The zone of the person under alias `r` that sets them apart. */
  readonly zone: Fragment;
  /** The columns `time_zone`, `due_at` and `open_until` of a batch. */
  readonly columns: Fragment;
  readonly join: Fragment;
}

/**
 * Quiet hours set people of different zones apart, and each batch has its own time. Without quiet hours nothing is added to
 * the statement.
 */
function heldByZone(windows: ZoneWindows | null): Held {
  if (!windows) return { zone: sql`NULL::text`, columns: sql`NULL::text, now(), NULL::timestamptz`, join: sql`` };
  const { zones, otherwise } = windows;
  const names = zones.map((one) => one.zone);
  const dueAts = zones.map((one) => one.dueAt);
  const openUntils = zones.map((one) => one.openUntil);
  const dueAt = sql`GREATEST(now(), COALESCE(z.due_at, ${otherwise.dueAt}))`;
  return {
    zone: sql`CASE WHEN r.time_zone = ANY (${names}::text[]) THEN r.time_zone END`,
    columns: sql`g.zone, ${dueAt}, COALESCE(z.open_until, ${otherwise.openUntil})`,
    join: sql`
      LEFT JOIN unnest(${names}::text[], ${dueAts}::timestamptz[], ${openUntils}::timestamptz[]) z(zone, due_at, open_until)
        ON z.zone = g.zone`,
  };
}

/** Whether a message may have reached the person under alias `r`, by this channel or, without one, by any. */
export function mayHaveIt(messageId: string, channel?: Channel): RawBuilder<SqlBool> {
  const states = sql.join(MAY_HAVE_IT.map((state) => sql.lit(state)));
  return sql`EXISTS (
    SELECT 1
    FROM deliveries d
    WHERE d.message_id = ${messageId}
      AND d.recipient_id = r.id
      AND d.state IN (${states})
      ${channel ? sql`AND d.channel = ${channel}::channel` : sql``})`;
}
