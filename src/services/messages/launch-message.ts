import type { MessageView } from '#schemas/views.ts';
import { type Context, inTenant } from '#services/context.ts';
import { loadMessage, messageIdOf } from '#services/message-row.ts';
import { launchFacts } from '#services/organisations/launch-facts.ts';
import { announceWaves } from '#services/planning/plan-wave.ts';
import { launchDraft, type LaunchInput } from './launch-draft.ts';
import { viewMessage } from './message-view.ts';

/**
 * Launches a draft now, or schedules it for its `startAt`.
 * @throws Problem 404; 403 `scope_missing`, `test_key`; 409 `not_a_draft`, `tenant_suspended`, `stopped`, `audience_changed`,
 *   `approval_required`, or the code of a question; 422 naming `audience`, `channels`, `expiresAt` or what a life message lacks
 */
export async function launchMessage(ctx: Context, publicId: string, input: LaunchInput = {}): Promise<MessageView> {
  const id = messageIdOf(ctx, publicId);
  const { view, waves } = await inTenant(ctx, async (tx) => {
    const [row, facts] = await Promise.all([loadMessage(tx, ctx, publicId, true), launchFacts(tx, ctx.tenantId)]);
    const begun = await launchDraft(tx, ctx, { row, facts }, input);
    const launched = await viewMessage(tx, ctx, id);
    await ctx.idempotency?.complete(tx, 202, launched);
    return { view: launched, waves: begun };
  });
  await announceWaves(ctx, waves);
  return view;
}
