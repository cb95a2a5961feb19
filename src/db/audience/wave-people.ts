import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Audience } from '#schemas/audience.ts';
import { audienceCondition } from './audience-sql.ts';
import { mayHaveIt } from './plan-page.ts';

export interface WaveSelection {
  selects: 'all' | 'not_answered' | 'not_reached' | 'reached' | 'ids';
  ordinal: number;
  messageId: string;
  followsId: string | null;
  recipientIds: readonly string[] | null;
  audience: Audience;
}

/**
 * The condition for a wave's people, over alias `r`. Only the first wave asks the audience. Later ones go back to the people
 * who were planned then, so that nobody is added or lost when recipients change in between.
 */
export function wavePeople(wave: WaveSelection, decodeId: (publicId: string) => string | undefined): RawBuilder<SqlBool> {
  const { messageId } = wave;
  if (wave.selects === 'ids') return sql`r.id = ANY (${wave.recipientIds ?? []}::bigint[])`;
  if (wave.selects === 'reached' && wave.followsId !== null) return mayHaveIt(wave.followsId);
  if (wave.ordinal === 0) return audienceCondition(wave.audience, decodeId);
  const planned = sql`EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = ${messageId} AND d.recipient_id = r.id)`;
  const answered = sql`EXISTS (SELECT 1 FROM answers a WHERE a.message_id = ${messageId} AND a.recipient_id = r.id)`;
  if (wave.selects === 'not_answered') return sql`(${planned} AND NOT ${answered})`;
  if (wave.selects === 'not_reached') return sql`(${planned} AND NOT ${mayHaveIt(messageId)})`;
  return sql<SqlBool>`${planned}`;
}
