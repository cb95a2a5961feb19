import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { type Places, plainArray, prepared, textArray } from '#db/prepared.ts';
import type { AnswerWay } from '#schemas/delivery.ts';
import { linkExpiresSql } from '#services/links/link-expiry.ts';

/** One answer on its way into the database. */
export interface AnswerRow {
  readonly messageId: string;
  readonly recipientId: string;
  readonly key: string;
  readonly way: AnswerWay;
  readonly etaAt: Date | null;
  readonly note: string | null;
  readonly dedupKey: string | null;
}

/**
 * What became of an answer. `first` is written as the person's first; `again` is not written yet, since the person has
 * answered before. The others say why the answer is not taken.
 */
export type Verdict = 'first' | 'again' | 'not_found' | 'closed' | 'erased' | 'unknown_answer';

/** A verdict, with what the reply needs to know of a person who may answer. */
export interface Judged {
  readonly verdict: Verdict;
  /** The transaction's time, at which this answer was taken. */
  readonly at: Date;
  readonly locale: string | null;
  readonly timeZone: string | null;
}

/** A group of answers as parallel arrays, in the server's own notation. */
interface Group {
  tenantId: number;
  messageIds: string;
  recipientIds: string;
  keys: string;
  ways: string;
  etas: string;
  notes: string;
  dedupKeys: string;
}

const groupOf = (tenantId: number, rows: readonly AnswerRow[]): Group => ({
  tenantId,
  messageIds: plainArray(rows.map((r) => r.messageId)),
  recipientIds: plainArray(rows.map((r) => r.recipientId)),
  keys: textArray(rows.map((r) => r.key)),
  ways: plainArray(rows.map((r) => r.way)),
  etas: plainArray(rows.map((r) => r.etaAt?.toISOString() ?? null)),
  notes: textArray(rows.map((r) => r.note)),
  dedupKeys: textArray(rows.map((r) => r.dedupKey)),
});

/** The group as rows under the alias `i`; `n` counts them from 1. */
const answersGiven = (at: Places<Group>) => sql`
  unnest(
    ${at('messageIds')}::bigint[], ${at('recipientIds')}::bigint[], ${at('keys')}::text[], ${at('ways')}::text[],
    ${at('etas')}::timestamptz[], ${at('notes')}::text[], ${at('dedupKeys')}::text[]
  ) WITH ORDINALITY AS i(message_id, recipient_id, key, way, eta_at, note, dedup_key, n)`;

/** The message `m` offers the answer of row `i`; a message without answers takes `seen` alone. */
const offered = sql`(
  m.answers @> jsonb_build_array(jsonb_build_object('key', i.key))
  OR (i.key = 'seen' AND m.answers = '[]'::jsonb))`;

/** Why the answer of row `i` is not taken, given its message `m` and its person `r`; NULL where it is taken. */
const refusal = sql`
  CASE
    WHEN m.id IS NULL OR r.id IS NULL THEN 'not_found'
    WHEN m.state IN ('draft', 'scheduled') THEN 'not_found'
    WHEN r.erased_at IS NOT NULL THEN 'erased'
    WHEN ${linkExpiresSql} <= now() THEN 'closed'
    WHEN NOT ${offered} THEN 'unknown_answer'
  END`;

/**
 * Writes every first answer of a group in one statement: it checks them, writes answers, events and counts, and gives what
 * the replies need. A group has at most one row a person and message. Rows are written in key order, so that two groups never
 * deadlock. The counts come when all answers are written, since other transactions wait for their rows.
 *
 * The counts tell the watchers, so that they are told only where something was counted: a statement of its own for that took
 * 2 us an answer.
 *
 * LATERAL with LIMIT looks each person up by key. With a plain join, and before the statistics knew of an import, the planner
 * read every person of the tenant for each group: 2.2 of 3.3 ms with 6,000 people.
 */
export async function writeFirst(tx: Tx, tenantId: number, rows: readonly AnswerRow[]): Promise<Judged[]> {
  const judged = await first(tx, groupOf(tenantId, rows));
  // One transaction has one time, so it is read from the first row alone: reading it from each row's text took 2 us a row.
  const at = judged[0]?.at ?? new Date(0);
  return judged.map((one) => ({ ...one, at }));
}

const first = prepared<Group, Omit<Judged, 'at'> & { at: Date | null }>(
  'answers_first',
  (at) => sql`
    WITH input AS MATERIALIZED (
      SELECT i.*, r.locale, r.time_zone, ${refusal} AS refusal
      FROM ${answersGiven(at)}
      LEFT JOIN LATERAL (
        SELECT *
        FROM messages
        WHERE tenant_id = ${at('tenantId')}
          AND id = i.message_id
        LIMIT 1
      ) m ON true
      LEFT JOIN LATERAL (
        SELECT *
        FROM recipients
        WHERE tenant_id = ${at('tenantId')}
          AND id = i.recipient_id
        LIMIT 1
      ) r ON true
    ), ins AS (
      INSERT INTO answers (message_id, recipient_id, tenant_id, first_key, first_at, key, answered_at, way, eta_at, note)
      SELECT i.message_id, i.recipient_id, ${at('tenantId')}, i.key, now(), i.key, now(), i.way, i.eta_at, i.note
      FROM input i
      WHERE i.refusal IS NULL
      ORDER BY i.message_id, i.recipient_id
      ON CONFLICT (message_id, recipient_id) DO NOTHING
      RETURNING message_id, recipient_id, key
    ), events AS (
      INSERT INTO answer_events (tenant_id, message_id, recipient_id, at, key, way, eta_at, note, dedup_key)
      SELECT ${at('tenantId')}, i.message_id, i.recipient_id, now(), i.key, i.way, i.eta_at, i.note, i.dedup_key
      FROM ins
      JOIN input i USING (message_id, recipient_id)
    ), counted AS (
      INSERT INTO tallies AS t (message_id, kind, key, slot, tenant_id, n)
      SELECT message_id, 'answer', key, pg_backend_pid() % 16, ${at('tenantId')}, count(*)
      FROM ins
      GROUP BY message_id, key
      ORDER BY message_id, key
      ON CONFLICT (message_id, kind, key, slot) DO UPDATE SET n = t.n + excluded.n
      RETURNING pg_notify('progress', t.tenant_id || ':' || t.message_id)
    )
    SELECT
      COALESCE(i.refusal, CASE WHEN ins.message_id IS NULL THEN 'again' ELSE 'first' END) AS verdict,
      CASE WHEN i.n = 1 THEN now() END AS at,
      i.locale, i.time_zone AS "timeZone"
    FROM input i
    LEFT JOIN ins USING (message_id, recipient_id)
    ORDER BY i.n`,
);

/** The answer of a person that is in force. */
export interface Standing {
  readonly key: string;
  readonly at: Date;
  readonly firstAt: Date;
  readonly etaAt: Date | null;
  readonly note: string | null;
}

interface Locked {
  /** The answers in force, in the order of the rows. */
  readonly standing: (Standing | undefined)[];
  /** The dedup keys that are known already. */
  readonly seen: ReadonlySet<string>;
}

/**
 * Reads the answers in force and locks them in key order. These are two statements, since the second one must see what was
 * committed while the first one waited for its locks.
 */
async function lockStanding(tx: Tx, tenantId: number, rows: readonly AnswerRow[]): Promise<Locked> {
  const messageIds = rows.map((r) => r.messageId);
  const recipientIds = rows.map((r) => r.recipientId);
  const { rows: found } = await sql<Standing & { messageId: string; recipientId: string }>`
    SELECT a.message_id AS "messageId", a.recipient_id AS "recipientId",
      a.key, a.answered_at AS at, a.first_at AS "firstAt", a.eta_at AS "etaAt", a.note
    FROM answers a
    JOIN unnest(${messageIds}::bigint[], ${recipientIds}::bigint[]) i(message_id, recipient_id)
      USING (message_id, recipient_id)
    ORDER BY a.message_id, a.recipient_id
    FOR UPDATE OF a`.execute(tx);
  const byPerson = new Map(found.map(({ messageId, recipientId, ...standing }) => [`${messageId}:${recipientId}`, standing]));
  const keys = rows.flatMap((r) => r.dedupKey ?? []);
  const known =
    keys.length === 0
      ? []
      : await tx.selectFrom('answer_events').select('dedup_key').where('tenant_id', '=', tenantId).where('dedup_key', 'in', keys).execute();
  const standing = rows.map((r) => byPerson.get(`${r.messageId}:${r.recipientId}`));
  return { standing, seen: new Set(known.flatMap((k) => k.dedup_key ?? [])) };
}

/** A tap on the same button says nothing new about a time or a note that was given before. */
function unchanged(row: AnswerRow, old: Standing): boolean {
  const sameTime = row.etaAt === null || row.etaAt.getTime() === old.etaAt?.getTime();
  return row.key === old.key && sameTime && (row.note === null || row.note === old.note);
}

export interface Change {
  /** The answer that was in force before. */
  readonly previous: Standing | undefined;
  /** Whether the new answer replaced it. */
  readonly changed: boolean;
}

/**
 * Writes later answers of people who have answered before: the answer in force changes, the first one stays, and the change
 * is kept as an event. A repeat of the same answer, or of the same inbound text, changes nothing.
 */
export async function writeAgain(tx: Tx, tenantId: number, rows: readonly AnswerRow[]): Promise<Change[]> {
  const { standing, seen } = await lockStanding(tx, tenantId, rows);
  const changes = rows.filter((row, i) => {
    const old = standing[i];
    return old !== undefined && !unchanged(row, old) && !(row.dedupKey !== null && seen.has(row.dedupKey));
  });
  if (changes.length > 0) {
    await change(tx, groupOf(tenantId, changes));
  }
  return standing.map((old, i) => ({ previous: old, changed: changes.includes(rows[i] as AnswerRow) }));
}

const change = prepared<Group, unknown>(
  'answers_change',
  (at) => sql`
    WITH input AS MATERIALIZED (
      SELECT *
      FROM ${answersGiven(at)}
    ), upd AS (
      UPDATE answers a
      SET key = i.key, answered_at = now(), way = i.way, eta_at = i.eta_at, note = i.note, changes = a.changes + 1
      FROM input i
      WHERE a.message_id = i.message_id
        AND a.recipient_id = i.recipient_id
        AND a.tenant_id = ${at('tenantId')}
    )
    INSERT INTO answer_events (tenant_id, message_id, recipient_id, at, key, way, eta_at, note, dedup_key)
    SELECT ${at('tenantId')}, i.message_id, i.recipient_id, now(), i.key, i.way, i.eta_at, i.note, i.dedup_key
    FROM input i`,
);

export interface TallyMove {
  readonly messageId: string;
  readonly key: string;
  /** How many people more (or fewer, below 0) have this answer in force. */
  readonly n: number;
}

/** Moves the counts per answer in one statement. It is the last one of its transaction, since others wait for these rows. */
export async function moveTallies(tx: Tx, tenantId: number, moves: readonly TallyMove[]): Promise<void> {
  const messageIds = moves.map((m) => m.messageId);
  const keys = moves.map((m) => m.key);
  const numbers = moves.map((m) => m.n);
  await sql`
    INSERT INTO tallies AS t (message_id, kind, key, slot, tenant_id, n)
    SELECT d.message_id, 'answer', d.key, pg_backend_pid() % 16, ${tenantId}, sum(d.n)
    FROM unnest(${messageIds}::bigint[], ${keys}::text[], ${numbers}::int[]) d(message_id, key, n)
    GROUP BY d.message_id, d.key
    HAVING sum(d.n) <> 0
    ORDER BY d.message_id, d.key
    ON CONFLICT (message_id, kind, key, slot) DO UPDATE SET n = t.n + excluded.n`.execute(tx);
}
