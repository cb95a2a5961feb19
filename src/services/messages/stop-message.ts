import { lockForStop } from '#db/delivery/stop-lock.ts';
import type { Tx } from '#db/database.ts';
import { conflict, notFound } from '#platform/errors.ts';
import type { MessageView } from '#schemas/views.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant, notifyProgress, requireScope } from '#services/context.ts';
import { loadMessage } from '#services/message-row.ts';
import { viewMessages } from './message-view.ts';
import { notifyStop } from '#services/delivery/recalls.ts';

export interface StopResult {
  message: MessageView;
  /**
   * People who were marked for a call at the stop: no more than these can still be called. Calls that have begun cannot be
   * called back; what had not begun is taken back at once and ends as cancelled too, with the code `not_called`.
   */
  inFlight: number;
  /** People who were still waiting for a mark, or for another attempt. */
  cancelled: number;
}

/**
 * Stops a message: no call starts whose mark commits after this. One person is enough, and a repeat is harmless. What was
 * queued is closed right after; the counts returned are those at the moment of the stop.
 * @throws Problem 403 `scope_missing`; 404; 409 `not_launched`, `already_over`
 */
export async function stopMessage(ctx: Context, publicId: string): Promise<StopResult> {
  requireScope(ctx, 'write');
  const { result, messageId } = await inTenant(ctx, async (tx) => {
    await lockForStop(tx);
    const row = await loadMessage(tx, ctx, publicId, true);
    if (row.state === 'draft')
      throw conflict('not_launched', 'The message was never launched; there is nothing to stop.', { state: row.state });
    if (row.state === 'expired')
      throw conflict('already_over', 'The message has expired; nothing of it is sent any more.', { state: row.state });
    if (row.state !== 'stopped') await stopRow(tx, ctx, row.id);
    const [message] = await viewMessages(tx, ctx, [await loadMessage(tx, ctx, publicId)]);
    if (!message) throw notFound('message');
    const answer: StopResult = {
      message,
      inFlight: message.deliveries.attempting,
      cancelled: message.deliveries.pending + message.deliveries.cancelled,
    };
    await ctx.idempotency?.complete(tx, 200, answer);
    return { result: answer, messageId: row.id };
  });
  await ctx.queue.nudge('close', { tenantId: ctx.tenantId, messageId });
  return result;
}

/** Writes the stop; the caller holds the stop lock. */
export async function stopRow(tx: Tx, ctx: Context, messageId: string): Promise<void> {
  const now = new Date(ctx.clock.now());
  await tx
    .updateTable('messages')
    .set({ state: 'stopped', stopped_at: now, stopped_by: ctx.actor.label, completed_at: null })
    .where('tenant_id', '=', ctx.tenantId)
    .where('id', '=', messageId)
    .execute();
  await tx
    .updateTable('waves')
    .set({ state: 'cancelled' })
    .where('tenant_id', '=', ctx.tenantId)
    .where('message_id', '=', messageId)
    .where('state', '=', 'waiting')
    .where('cursor_id', '=', '0')
    .where('ordinal', '>', 0)
    .execute();
  await appendAudit(tx, ctx, 'message.stop', messageId);
  await notifyProgress(tx, ctx.tenantId, messageId);
  await notifyStop(tx, { tenantId: ctx.tenantId, messageId });
}
