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
 * Finds the newest message that says the same, in any of its languages, to anybody of the same people, within ten minutes of
 * this one. The case and the spaces of a text do not count. People are compared only where a text is the same.
 */
export async function findRepeatedText(tx: Tx, question: Question): Promise<RepeatedText | undefined> {
  const { tenantId, messageId, drill, texts, startsAt, decodeId } = question;
  const at = sql`COALESCE(m.launched_at, m.start_at)`;
  const begins = sql`to_timestamp(${startsAt / 1000}::float8)`;
  const { rows } = await sql<{ id: string; at: Date; audience: Audience }>`
    SELECT m.id, ${at} AS at, m.audience
    FROM messages m
    WHERE m.tenant_id = ${tenantId}
      AND m.id <> ${messageId}
      AND m.drill = ${drill}
      AND m.kind = 'original'
      AND (m.launched_at IS NOT NULL OR m.state = 'scheduled')
      AND ${at} BETWEEN ${begins} - interval ${WINDOW} AND ${begins} + interval ${WINDOW}
      AND EXISTS (
        SELECT 1
        FROM jsonb_each_text(m.text) t, unnest(${[...texts]}::text[]) own(text)
        WHERE ${plain(sql`t.value`)} = ${plain(sql`own.text`)}
      )
    ORDER BY m.id DESC
    LIMIT ${MAX_LOOKED_AT}`.execute(tx);
  for (const row of rows) {
    const overlap = await sql<{ both: boolean }>`
      SELECT EXISTS (
        SELECT 1
        FROM recipients r
        WHERE r.tenant_id = ${tenantId}
          AND r.erased_at IS NULL
          AND ${question.condition}
          AND ${audienceCondition(row.audience, decodeId)}
      ) AS both`.execute(tx);
    if (overlap.rows[0]?.both) return { id: row.id, at: row.at };
  }
  return undefined;
}
