import { sql } from 'kysely';
import { CHANNEL_FACTS, type Channel } from '#schemas/channel-facts.ts';
import type { Tx } from '#db/database.ts';

/** The ordinals of the waves for joins begin here, above every ordinal that a plan can have. */
export const JOIN_WAVE = 1_000;

/**
 * Puts a person who joined a live message into its wave for joins by that channel, so that the message reaches them at once.
 * There is one such wave a channel, however many people join: a wave for each would run out of ordinals on a page that
 * spreads. The row lock orders this with the planner, which takes the waiting ids and leaves the wave empty.
 *
 * @returns the wave to nudge the planner for
 */
export async function addToJoinWave(tx: Tx, tenantId: number, messageId: string, channel: Channel, recipientId: string): Promise<string> {
  const ordinal = JOIN_WAVE + CHANNEL_FACTS[channel].number;
  const { rows } = await sql<{ id: string }>`
    INSERT INTO waves AS w (tenant_id, message_id, ordinal, channels, mode, selects, recipient_ids, due_at)
    VALUES (
      ${tenantId}, ${messageId}, ${ordinal}, ARRAY[${channel}::channel],
      'first', 'ids', ARRAY[${recipientId}::bigint], now()
    )
    ON CONFLICT (tenant_id, message_id, ordinal) DO UPDATE
    SET recipient_ids = w.recipient_ids || excluded.recipient_ids, due_at = now(), state = 'waiting'
    RETURNING id`.execute(tx);
  const id = rows[0]?.id;
  if (id === undefined) throw new Error('an upsert returns its row');
  return id;
}
