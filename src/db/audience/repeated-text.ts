import { type RawBuilder, sql } from 'kysely';
import type { Audience } from '#schemas/audience.ts';
import { audienceCondition, type Condition } from './audience-sql.ts';
import type { Tx } from '#db/database.ts';

/** Within this time before or after, the same text is more likely a slip than meant. */
const WINDOW = sql.lit('10 minutes');
/** The newest messages are looked at first. A tenant that repeats itself more often has been asked before. */
const MAX_LOOKED_AT = 50;

export interface RepeatedText {
  id: string;
  at: Date;
}

interface Question {
  tenantId: number;
  messageId: string;
  drill: boolean;
  /** The text of the message in each of its languages. */
  texts: readonly string[];
  /** The people whom it is for, over alias `r`. */
  condition: Condition;
  /** When it is to begin, in milliseconds. */
  startsAt: number;
  decodeId: (publicId: string) => string | undefined;
}

const plain = (column: RawBuilder<unknown>) => sql`lower(regexp_replace(btrim(${column}), '\\s+', ' ', 'g'))`;

/**
 * Launches of the same text ask one after the other until the first has committed: of 50 at once 15 went unasked before. A lock
 * for each text, in the order of their keys, so that two launches never wait for each other in a circle.
 */
const takeTurns = (tx: Tx, { tenantId, texts }: Question) =>
  sql`
  SELECT pg_advisory_xact_lock(own.key)
  FROM (
    SELECT DISTINCT hashtextextended(${plain(sql`text`)}, ${tenantId}) AS key
    FROM unnest(${[...texts]}::text[]) t(text)
    ORDER BY key
  ) own`.execute(tx);

/**
 * The newest message that says the same, in any of its languages, to anybody of the same people, within ten minutes of this
 * one; the case and the spaces of a text do not count. People are compared only where a text is the same. Holds a lock on the
 * texts until the transaction ends.
 */
export async function findRepeatedText(tx: Tx, question: Question): Promise<RepeatedText | undefined> {
  const { tenantId, messageId, drill, texts, startsAt, decodeId } = question;
  // It is a statement of its own: the next one's snapshot must be taken when the lock is held.
  await takeTurns(tx, question);
  const at = sql`COALESCE(m.launched_at, m.start_at)`;
  const begins = sql`to_timestamp(${startsAt / 1000}::float8)`;
  const sameText = sql`EXISTS (
    SELECT 1 FROM jsonb_each_text(m.text) t, unnest(${[...texts]}::text[]) own(text)
    WHERE ${plain(sql`t.value`)} = ${plain(sql`own.text`)}
  )`;
  const { rows } = await sql<{ id: string; at: Date; audience: Audience }>`
    SELECT m.id, ${at} AS at, m.audience FROM messages m
    WHERE m.tenant_id = ${tenantId}
      AND m.id <> ${messageId}
      AND m.drill = ${drill}
      AND (m.launched_at IS NOT NULL OR m.state = 'scheduled')
      AND ${at} BETWEEN ${begins} - interval ${WINDOW} AND ${begins} + interval ${WINDOW}
      AND ${sameText}
    ORDER BY m.id DESC
    LIMIT ${MAX_LOOKED_AT}`.execute(tx);
  for (const row of rows) {
    const overlap = await sql<{ both: boolean }>`
      SELECT EXISTS (
        SELECT 1 FROM recipients r
        WHERE r.tenant_id = ${tenantId}
          AND r.erased_at IS NULL
          AND ${question.condition}
          AND ${audienceCondition(row.audience, decodeId)}
      ) AS both`.execute(tx);
    if (overlap.rows[0]?.both) return { id: row.id, at: row.at };
  }
  return undefined;
}
