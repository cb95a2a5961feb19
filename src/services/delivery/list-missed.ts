import { sql } from 'kysely';
import { mayHaveIt } from '#db/audience/plan-page.ts';
import { type Context, inTenant } from '#services/context.ts';
import { loadMessage } from '#services/message-row.ts';

/** How many people are listed at most: as many as an audience may name by id (schemas/audience.ts). */
export const MOST_MISSED = 10_000;

export interface Missed {
  /** Public ids in the order of the people, at most `MOST_MISSED`. */
  readonly ids: readonly string[];
  /** Whether there are more than these. */
  readonly more: boolean;
}

/**
 * Lists everybody of a message who cannot have it: stopped or expired before the call, failed for good, or unreachable. People who
 * may have it by a call in doubt are left out, so that nobody gets it twice.
 */
export async function listMissed(ctx: Context, publicId: string): Promise<Missed> {
  return inTenant(ctx, async (tx) => {
    const { id } = await loadMessage(tx, ctx, publicId);
    const { rows } = await sql<{ id: string }>`
      SELECT r.id
      FROM recipients r
      WHERE r.tenant_id = ${ctx.tenantId}
        AND r.erased_at IS NULL
        AND EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = ${id} AND d.recipient_id = r.id)
        AND NOT ${mayHaveIt(id)}
      ORDER BY r.id
      LIMIT ${MOST_MISSED + 1}`.execute(tx);
    return { ids: rows.slice(0, MOST_MISSED).map((row) => ctx.ids.encode('rcp', row.id)), more: rows.length > MOST_MISSED };
  });
}
