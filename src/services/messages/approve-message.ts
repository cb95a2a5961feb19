import { countAndHash } from '#db/audience/audience-sql.ts';
import type { Tx } from '#db/database.ts';
import { conflict, notFound, Problem } from '#platform/errors.ts';
import type { MessageView } from '#schemas/views.ts';
import { askApprover } from './ask-first.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant, requireScope } from '#services/context.ts';
import { conditionOf } from './audience-condition.ts';
import { acknowledgedIn, type LaunchInput } from './launch-draft.ts';
import { loadMessage } from '#services/message-row.ts';
import { launchWording } from './wording.ts';
import { viewMessages } from './message-view.ts';

/**
 * Approves a draft, as a second person, with the audience as it is now. The author cannot approve it, and neither can that
 * person's API keys.
 * @throws Problem 403 `author_cannot_approve`; 404; 409 `not_a_draft`, `audience_changed` or the code of a question; 422 what
 *   a life message lacks
 */
export async function approveMessage(ctx: Context, publicId: string, input: LaunchInput = {}): Promise<MessageView> {
  return inTenant(ctx, async (tx) => {
    const row = await loadMessage(tx, ctx, publicId, true);
    requireScope(ctx, `send:${row.class}`);
    if (row.state !== 'draft')
      throw conflict('not_a_draft', `The message is ${row.state}; only a draft can be approved.`, { state: row.state });
    if (ctx.actor.userId === null || (await isAuthor(tx, ctx, [row.created_by, ...row.changed_by])))
      throw new Problem(403, 'author_cannot_approve', 'Who wrote or changed a message cannot approve it; another person must.');
    const said = await launchWording(tx, row);
    const counted = await countAndHash(tx, ctx.tenantId, conditionOf(ctx, row.audience));
    if (input.audienceHash !== undefined && input.audienceHash !== counted.hash)
      throw conflict('audience_changed', 'The audience is no longer the one that was shown.', { count: counted.count, hash: counted.hash });
    await askApprover(tx, ctx, row, input.acknowledge ?? []);
    await tx
      .updateTable('messages')
      .set({
        approved_at: new Date(ctx.clock.now()),
        approved_by: ctx.actor.label,
        audience_count: String(counted.count),
        audience_hash: counted.hash,
        said: said && JSON.stringify(said),
      })
      .where('tenant_id', '=', ctx.tenantId)
      .where('id', '=', row.id)
      .execute();
    await appendAudit(tx, ctx, 'message.approve', row.id, { count: counted.count, hash: counted.hash, ...acknowledgedIn(input) });
    const [view] = await viewMessages(tx, ctx, [await loadMessage(tx, ctx, publicId)]);
    if (!view) throw notFound('message');
    await ctx.idempotency?.complete(tx, 200, view);
    return view;
  });
}

/** Whether the person who acts has written under one of these labels, by whatever key. */
async function isAuthor(tx: Tx, ctx: Context, labels: readonly string[]): Promise<boolean> {
  for (const label of labels) if (label === ctx.actor.label || (await authorOf(tx, ctx.tenantId, label)) === ctx.actor.userId) return true;
  return false;
}

/** The person behind `user:<id>` or `key:<id>`. */
async function authorOf(tx: Tx, tenantId: number, label: string): Promise<string | null> {
  const [kind, id] = label.split(':', 2);
  if (kind === 'user') return id ?? null;
  if (kind !== 'key' || id === undefined) return null;
  const key = await tx.selectFrom('api_keys').select('user_id').where('tenant_id', '=', tenantId).where('id', '=', id).executeTakeFirst();
  return key?.user_id ?? null;
}
