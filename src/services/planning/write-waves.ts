import type { Tx } from '#db/database.ts';
import { planOf } from '#domain/message/plan.ts';
import type { MessageInput } from '#schemas/message.ts';
import type { MessageRow } from '#services/message-row.ts';
import type { WaveRow } from './plan-pages.ts';

/**
 * Writes the waves of these messages' plans.
 * @param now milliseconds; the delays of the plan count from it
 * @returns the waves that are due at once
 */
export async function writeWaves(
  tx: Tx,
  tenantId: number,
  rows: readonly Pick<MessageRow, 'id' | 'class' | 'channels'>[],
  now: number,
): Promise<WaveRow[]> {
  const values = rows.flatMap((row) =>
    planOf(row.class, row.channels as MessageInput['channels']).map((step, ordinal) => ({
      tenant_id: tenantId,
      message_id: row.id,
      ordinal,
      channels: step.channels,
      mode: step.mode,
      selects: step.to,
      recipient_ids: null,
      due_at: new Date(now + step.afterSeconds * 1000),
    })),
  );
  if (values.length === 0) return [];
  const waves = await tx.insertInto('waves').values(values).returningAll().execute();
  return waves.filter((wave) => wave.due_at.getTime() <= now);
}
