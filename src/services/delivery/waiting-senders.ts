import { sql } from 'kysely';
import type { Channel } from '#schemas/delivery.ts';
import { type Context, inTenant } from '#services/context.ts';
import { messageIdOf } from '#services/message-row.ts';

/** A sender that a message waits for. */
export interface WaitingFor {
  name: string;
  channel: Channel;
  /** Why it stopped itself, so that a person must release it. Null: its provider fails, and is asked again without anybody's doing. */
  stoppedReason: string | null;
  /** The raw code of the provider. */
  code: string | null;
}

/** Lists senders that are stopped or fail while batches of this message wait for them: the reasons why a message does not move. */
export async function whatWaits(ctx: Context, publicId: string): Promise<WaitingFor[]> {
  const messageId = messageIdOf(ctx, publicId);
  return inTenant(ctx, async (tx) => {
    const { rows } = await sql<WaitingFor>`
      SELECT
        s.name,
        s.channel,
        CASE WHEN s.stopped_at IS NOT NULL THEN COALESCE(s.stopped_reason, '') END AS "stoppedReason",
        s.breaker_code AS code
      FROM (
        SELECT DISTINCT b.sender_id
        FROM batches b
        WHERE b.tenant_id = ${ctx.tenantId} AND b.message_id = ${messageId} AND b.state = 'planned'
      ) w
      JOIN senders s ON s.tenant_id = ${ctx.tenantId} AND s.id = w.sender_id
      WHERE s.stopped_at IS NOT NULL OR s.breaker_opened_at IS NOT NULL
      ORDER BY s.id`.execute(tx);
    return rows;
  });
}
