import { sql } from 'kysely';
import { countAndHash } from '#db/audience/audience-sql.ts';
import { wordingAsGiven } from '#domain/message/wording.ts';
import { conflict, notFound } from '#platform/errors.ts';
import type { Audience } from '#schemas/audience.ts';
import type { MessageChange, MessageInput } from '#schemas/message.ts';
import type { WordingInput } from '#schemas/wording.ts';
import type { MessageView } from '#schemas/views.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant, requireScope } from '#services/context.ts';
import { conditionOf } from './audience-condition.ts';
import { checkedExpiry } from './check-message.ts';
import { requireTag } from './draft-tag.ts';
import { loadMessage, type MessageRow } from '#services/message-row.ts';
import { loadWording } from './wording.ts';
import { viewMessages } from './message-view.ts';

/**
 * Changes a draft. An approval that it had is void, and the person who changed it cannot give the next one. The row lock
 * decides the race with a launch or an approval: either sees the draft as it was or as it is, never half of each.
 *
 * @param ifMatch the draft must still be one of these (see `requireTag`)
 * @throws Problem 404; 409 `not_a_draft`; 412 `draft_changed`; 422 naming the fields
 */
export async function changeMessage(ctx: Context, publicId: string, change: MessageChange, ifMatch?: string): Promise<MessageView> {
  requireScope(ctx, 'write');
  return inTenant(ctx, async (tx) => {
    const row = await loadMessage(tx, ctx, publicId, true);
    if (row.state !== 'draft')
      throw conflict('not_a_draft', `The message is ${row.state}; only a draft can be changed.`, { state: row.state });
    if (ifMatch !== undefined) for (const now of await viewMessages(tx, ctx, [row])) requireTag(now, ifMatch);
    const fields = Object.keys(change).sort();
    if (fields.length > 0) {
      const input = changed(row, change);
      const said = await loadWording(tx, ctx.tenantId, input);
      const expiresAt = checkedExpiry(ctx, input, { wording: said }, row.cap !== null && change.expiresAt === undefined);
      const counted = await countAndHash(tx, ctx.tenantId, conditionOf(ctx, input.audience));
      await tx
        .updateTable('messages')
        .set({
          class: input.class,
          title: input.title ?? null,
          text: JSON.stringify(input.text),
          // People whose language is missing read the first language of a new text.
          ...(change.text === undefined ? {} : { fallback_locale: Object.keys(input.text)[0] ?? 'en' }),
          answers: JSON.stringify(input.answers),
          share: input.share,
          audience: JSON.stringify(input.audience),
          channels: JSON.stringify(input.channels),
          audience_count: String(counted.count),
          audience_hash: counted.hash,
          said: said && JSON.stringify(said),
          expires_at: expiresAt,
          start_at: input.startAt ?? null,
          approved_at: null,
          approved_by: null,
          changed_by: sql`array_append(array_remove(changed_by, ${ctx.actor.label}), ${ctx.actor.label})`,
        })
        .where('tenant_id', '=', ctx.tenantId)
        .where('id', '=', row.id)
        .execute();
      // The log holds the names of the fields alone: texts stay out of it.
      await appendAudit(tx, ctx, 'message.change', row.id, { fields, approvalVoid: row.approved_at !== null });
    }
    const [view] = await viewMessages(tx, ctx, [await loadMessage(tx, ctx, publicId)]);
    if (!view) throw notFound('message');
    return view;
  });
}

type Draft = Omit<MessageInput, 'launch' | 'audienceHash' | 'acknowledge'>;

/** What the message keeps saying. The organisation's own words went into it as a life message, and leave it with that class. */
const keptWords = (row: MessageRow, change: MessageChange): WordingInput =>
  row.class === 'life' && (change.class ?? 'life') !== 'life' ? {} : wordingAsGiven(row.said);

function changed(row: MessageRow, change: MessageChange): Draft {
  const title = change.title === undefined ? row.title : change.title;
  const expiresAt = change.expiresAt === undefined ? (row.expires_at?.toISOString() ?? null) : change.expiresAt;
  const startAt = change.startAt === undefined ? (row.start_at?.toISOString() ?? null) : change.startAt;
  return {
    class: change.class ?? row.class,
    drill: row.drill,
    text: change.text ?? row.text,
    says: change.says === undefined ? keptWords(row, change) : (change.says ?? {}),
    audience: change.audience ?? (row.audience as Audience),
    channels: change.channels ?? (row.channels as MessageInput['channels']),
    answers: change.answers ?? row.answers,
    share: change.share ?? row.share,
    ...(title === null ? {} : { title }),
    ...(expiresAt === null ? {} : { expiresAt }),
    ...(startAt === null ? {} : { startAt }),
  };
}
