import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { type Cohort, type Reproduction, reproduction } from '#domain/spread-statistics.ts';
import type { Channel } from '#schemas/delivery.ts';
import type { Page } from '#schemas/views.ts';
import { type Context, inTenant } from '#services/context.ts';
import { readTimeCursor, timeCursor, type TimePosition } from '#services/cursor.ts';
import { loadMessage } from '#services/message-row.ts';

/** One edge of the tree of the spread: a person, and the person through whose link they joined. */
export interface SpreadEdge {
  readonly recipientId: string;
  readonly name: string | null;
  readonly parentId: string;
  readonly parentName: string | null;
  /** How many steps the new person is away from the first broadcast. */
  readonly generation: number;
  readonly channel: Channel;
  readonly joinedAt: string;
}

export interface Generation {
  readonly generation: number;
  /** Generation 0 are the people of the broadcast, later ones the people who joined. */
  readonly people: number;
  /** How many of them shared: their link was visited or joined through. */
  readonly sharers: number;
  readonly visits: number;
  /** How many people each of them brought. Only those count who have had the link for `matureMinutes`. */
  readonly reproduction: Reproduction | 'too_early';
}

export interface TopSharer {
  readonly recipientId: string;
  readonly name: string | null;
  readonly generation: number;
  readonly visits: number;
  readonly joins: number;
}

export interface SpreadView extends Page<SpreadEdge> {
  readonly generations: Generation[];
  /** The 20 people who brought most, then those with most visits. */
  readonly top: TopSharer[];
  readonly matureMinutes: number;
}

export interface ListSpread {
  readonly cursor?: string | undefined;
  /** 1 to 1000, default 100. */
  readonly limit?: number | undefined;
  /** How long a person must have had the link before a missing join says something. Default 60. */
  readonly matureMinutes?: number | undefined;
}

const TOP = 20;

/**
 * The spread of a message: its tree (edges in pages by keyset, the oldest first), its generations and its top sharers.
 * @throws Problem 404; 422 `invalid_cursor`
 */
export async function listSpread(ctx: Context, publicMessageId: string, input: ListSpread = {}): Promise<SpreadView> {
  const limit = Math.min(Math.max(input.limit ?? 100, 1), 1000);
  const matureMinutes = input.matureMinutes ?? 60;
  const after = readTimeCursor(ctx, input.cursor);
  return inTenant(ctx, async (tx) => {
    const message = await loadMessage(tx, ctx, publicMessageId);
    const edges = await readEdges(tx, ctx, message.id, after, limit + 1);
    const last = edges[limit - 1];
    return {
      items: edges.slice(0, limit).map((edge) => viewOf(ctx, edge)),
      next: edges.length > limit && last ? timeCursor(ctx, { at: last.position, recipientId: last.recipient_id }) : null,
      generations: await readGenerations(tx, ctx.tenantId, message.id, matureMinutes),
      top: await readTop(tx, ctx, message.id),
      matureMinutes,
    };
  });
}

/** All edges in pages of 1,000, for exports. Each page is a transaction of its own. */
export async function* streamSpread(ctx: Context, publicMessageId: string): AsyncGenerator<SpreadEdge[]> {
  for (let after: TimePosition | undefined; ; ) {
    const from = after;
    const edges = await inTenant(ctx, async (tx) => readEdges(tx, ctx, (await loadMessage(tx, ctx, publicMessageId)).id, from, 1000));
    if (edges.length > 0 || from === undefined) yield edges.map((edge) => viewOf(ctx, edge));
    const last = edges.at(-1);
    if (!last || edges.length < 1000) return;
    after = { at: last.position, recipientId: last.recipient_id };
  }
}

interface EdgeRow {
  recipient_id: string;
  name: string | null;
  parent_id: string;
  parent_name: string | null;
  generation: number;
  channel: Channel;
  joined_at: Date;
  position: string;
}

async function readEdges(tx: Tx, ctx: Context, messageId: string, after: TimePosition | undefined, limit: number): Promise<EdgeRow[]> {
  const { rows } = await sql<EdgeRow>`
    SELECT j.recipient_id, r.name, j.parent_id, p.name AS parent_name, j.generation, j.channel, j.joined_at,
      (extract(epoch FROM j.joined_at) * 1000000)::bigint::text AS position
    FROM joins j
    LEFT JOIN recipients r ON r.tenant_id = j.tenant_id AND r.id = j.recipient_id
    LEFT JOIN recipients p ON p.tenant_id = j.tenant_id AND p.id = j.parent_id
    WHERE j.message_id = ${messageId}
      AND j.tenant_id = ${ctx.tenantId}
      AND ${isAfter(after)}
    ORDER BY j.joined_at, j.recipient_id
    LIMIT ${limit}`.execute(tx);
  return rows;
}

/** The join `j` comes after the last one that was seen. */
function isAfter(position: TimePosition | undefined) {
  if (!position) return sql<boolean>`true`;
  const at = sql`to_timestamp(0) + ${position.at}::bigint * interval '1 microsecond'`;
  return sql<boolean>`(j.joined_at, j.recipient_id) > (${at}, ${position.recipientId}::bigint)`;
}

type MatureCohort = { [K in keyof Cohort as `mature_${K}`]: number };

interface GenerationRow extends MatureCohort {
  generation: number;
  people: number;
  sharers: number;
  visits: number;
}

/** Sums alone leave the database, so that a generation of a million people is one row. */
async function readGenerations(tx: Tx, tenantId: number, messageId: string, matureMinutes: number): Promise<Generation[]> {
  const ripe = sql`now() - make_interval(mins => ${matureMinutes}::int)`;
  const ofMessage = sql`message_id = ${messageId} AND tenant_id = ${tenantId}`;
  // The broadcast's own people are those of the message who did not join it.
  const broadcast = sql`
    SELECT
      GREATEST(m.frozen_count - (SELECT count(*) FROM joins WHERE ${ofMessage}), 0)::float8 AS people,
      COALESCE(m.launched_at <= ${ripe}, false) AS mature
    FROM messages m
    WHERE m.tenant_id = ${tenantId}
      AND m.id = ${messageId}`;
  const joined = sql`EXISTS (SELECT 1 FROM joins x WHERE x.message_id = ${messageId} AND x.recipient_id = b.parent_id)`;
  const { rows } = await sql<GenerationRow>`
    WITH brought AS (
      SELECT parent_id, count(*)::float8 AS n
      FROM joins
      WHERE ${ofMessage}
      GROUP BY parent_id
    ), own_brought AS (
      SELECT COALESCE(sum(b.n), 0) AS n, COALESCE(sum(b.n * b.n), 0) AS nn
      FROM brought b
      WHERE NOT ${joined}
    ), nodes AS (
      SELECT j.generation,
        count(*)::float8 AS people,
        count(*) FILTER (WHERE mature)::float8 AS mature_people,
        COALESCE(sum(b.n) FILTER (WHERE mature), 0) AS mature_children,
        COALESCE(sum(b.n * b.n) FILTER (WHERE mature), 0) AS mature_squares
      FROM (SELECT *, joined_at <= ${ripe} AS mature FROM joins WHERE ${ofMessage}) j
      LEFT JOIN brought b ON b.parent_id = j.recipient_id
      GROUP BY j.generation
      UNION ALL
      SELECT 0,
        a.people,
        CASE WHEN a.mature THEN a.people ELSE 0 END,
        CASE WHEN a.mature THEN s.n ELSE 0 END,
        CASE WHEN a.mature THEN s.nn ELSE 0 END
      FROM (${broadcast}) a
      CROSS JOIN own_brought s
    ), shared AS (
      SELECT generation, count(*)::float8 AS sharers, sum(visits)::float8 AS visits
      FROM shares
      WHERE ${ofMessage}
      GROUP BY generation
    )
    SELECT n.*, COALESCE(s.sharers, 0) AS sharers, COALESCE(s.visits, 0) AS visits
    FROM nodes n
    LEFT JOIN shared s USING (generation)
    ORDER BY n.generation`.execute(tx);
  return rows.map((row) => ({
    generation: row.generation,
    people: row.people,
    sharers: row.sharers,
    visits: row.visits,
    reproduction: reproduction({ people: row.mature_people, children: row.mature_children, squares: row.mature_squares }),
  }));
}

async function readTop(tx: Tx, ctx: Context, messageId: string): Promise<SpreadView['top']> {
  const rows = await tx
    .selectFrom('shares as s')
    .leftJoin('recipients as r', (join) => join.onRef('r.tenant_id', '=', 's.tenant_id').onRef('r.id', '=', 's.parent_id'))
    .select(['s.parent_id', 'r.name', 's.generation', 's.visits', 's.joins'])
    .where('s.tenant_id', '=', ctx.tenantId)
    .where('s.message_id', '=', messageId)
    .orderBy('s.joins', 'desc')
    .orderBy('s.visits', 'desc')
    .orderBy('s.parent_id')
    .limit(TOP)
    .execute();
  return rows.map((row) => ({
    recipientId: ctx.ids.encode('rcp', row.parent_id),
    name: row.name,
    generation: row.generation,
    visits: row.visits,
    joins: row.joins,
  }));
}

const viewOf = (ctx: Context, row: EdgeRow): SpreadEdge => ({
  recipientId: ctx.ids.encode('rcp', row.recipient_id),
  name: row.name,
  parentId: ctx.ids.encode('rcp', row.parent_id),
  parentName: row.parent_name,
  generation: row.generation,
  channel: row.channel,
  joinedAt: row.joined_at.toISOString(),
});
