import { sql } from 'kysely';
import { lockForStop } from '#db/delivery/stop-lock.ts';
import { mayHaveIt } from '#db/audience/plan-page.ts';
import { drillProblems } from '#domain/message/drill-text.ts';
import { expiryOf, repeatCodeOf } from '#domain/message/plan.ts';
import { wordingOf } from '#domain/message/wording.ts';
import { conflict, type FieldError, notFound, Problem } from '#platform/errors.ts';
import { assertSlots } from '#render/render-message.ts';
import type { Wording, WordingInput } from '#schemas/wording.ts';
import { CHANNELS } from '#schemas/delivery.ts';
import type { MessageView } from '#schemas/views.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant, requireScope } from '#services/context.ts';
import type { DueWave } from '#services/planning/plan-wave.ts';
import { loadMessage, type MessageRow } from '#services/message-row.ts';
import { viewMessages } from './message-view.ts';
import { stopRow } from './stop-message.ts';
import type { Tx } from '#db/database.ts';

export interface CorrectInput {
  text: Record<string, string>;
  title?: string | undefined;
  kind: 'correction' | 'all_clear';
  /** In place of what the first message said. */
  says?: WordingInput | undefined;
}

/**
 * Corrects a message, or gives the all-clear: stops what is still queued of it, then goes to exactly those who may have
 * had it (attempting, accepted, in doubt, delivered, and who joined through a share), each by the channel it may have
 * come by. One person is enough, and no approval: it undoes harm.
 */
export async function correctMessage(ctx: Context, publicId: string, input: CorrectInput): Promise<MessageView> {
  refuse(assertSlots(input.text));
  const {
    view,
    wave: due,
    stopped,
  } = await inTenant(ctx, async (tx) => {
    await lockForStop(tx);
    const first = await loadMessage(tx, ctx, publicId, true);
    requireScope(ctx, 'write');
    if (first.launched_at === null) throw conflict('not_launched', 'Nobody has had this message; change the draft instead.', { state: first.state });
    const said = followingWords(first, input);
    refuse(drillProblems({ drill: first.drill, title: input.title, text: input.text, said }));
    if (first.state === 'live' || first.state === 'scheduled') await stopRow(tx, ctx, first.id);
    const { rows } = await sql<{
      n: number;
    }>`SELECT count(*)::float8 AS n FROM recipients r WHERE r.tenant_id = ${ctx.tenantId} AND r.erased_at IS NULL AND ${mayHaveIt(first.id)}`.execute(tx);
    const count = rows[0]?.n ?? 0;
    // Refused after the commit: the stop holds all the same.
    if (count === 0) return { view: undefined, wave: undefined, stopped: first.id };
    const { id, wave } = await insertCorrection(tx, ctx, first, { ...input, said }, count);
    await appendAudit(tx, ctx, `message.${input.kind}`, id, { follows: first.id, count });
    const correction = await tx.selectFrom('messages').selectAll().where('tenant_id', '=', ctx.tenantId).where('id', '=', id).executeTakeFirstOrThrow();
    const [made] = await viewMessages(tx, ctx, [correction]);
    if (!made) throw notFound('message');
    await ctx.idempotency?.complete(tx, 201, made);
    return { view: made, wave, stopped: first.id };
  });
  await Promise.all([due && ctx.queue.nudge('plan', due), ctx.queue.nudge('close', { tenantId: ctx.tenantId, messageId: stopped })]);
  if (!view) throw conflict('nobody_had_it', 'No call of this message was made, so nobody needs to be told. It is stopped.', { count: 0 });
  return view;
}

function refuse(problems: readonly FieldError[]): void {
  if (problems.length > 0) throw new Problem(422, 'invalid_message', problems.map((p) => `${p.field}: ${p.detail}`).join('; '), { errors: problems });
}

/** Whom, where and who issues it as the first message had it; what to do now is what the text says. */
function followingWords(first: MessageRow, { text, says }: CorrectInput): Wording | null {
  if (first.said === null && says === undefined) return null;
  const said = Object.entries(text).map(([locale, written]) => {
    const before = first.said?.[locale] ?? first.said?.[first.fallback_locale] ?? {};
    return [locale, { ...before, instruction: written, ...wordingOf([locale], says ?? {}, {})?.[locale] }] as const;
  });
  return Object.fromEntries(said);
}

async function insertCorrection(
  tx: Tx,
  ctx: Context,
  first: MessageRow,
  input: CorrectInput & { said: Wording | null },
  count: number,
): Promise<{ id: string; wave: DueWave }> {
  const now = ctx.clock.now();
  const wanted = first.expires_at && first.expires_at.getTime() > now + 3_600_000 ? first.expires_at.getTime() : now + 24 * 3_600_000;
  const expiry = expiryOf(first.class, wanted, null, now);
  const { id } = await tx
    .insertInto('messages')
    .values({
      tenant_id: ctx.tenantId,
      class: first.class,
      drill: first.drill,
      state: 'live',
      kind: input.kind,
      // A correction of a correction still follows the tree's first message, so that the card it replaces is the same.
      follows_id: first.id,
      title: input.title ?? first.title,
      text: JSON.stringify(input.text),
      said: input.said && JSON.stringify(input.said),
      fallback_locale: Object.keys(input.text)[0] ?? first.fallback_locale,
      answers: input.kind === 'all_clear' ? '[]' : JSON.stringify(first.answers),
      share: first.share,
      audience: JSON.stringify(first.audience),
      channels: JSON.stringify(first.channels),
      audience_count: String(count),
      audience_hash: null,
      expires_at: 'code' in expiry ? new Date(now + 24 * 3_600_000) : new Date(expiry.expiresAt),
      created_by: ctx.actor.label,
      launched_at: new Date(now),
      launched_by: ctx.actor.label,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await tx
    .updateTable('messages')
    .set({ mark: repeatCodeOf(id) })
    .where('tenant_id', '=', ctx.tenantId)
    .where('id', '=', id)
    .execute();
  await sql`SELECT ensure_delivery_partition(${id})`.execute(tx);
  const wave = await tx
    .insertInto('waves')
    .values({
      tenant_id: ctx.tenantId,
      message_id: id,
      ordinal: 0,
      channels: [...CHANNELS],
      mode: 'parallel',
      selects: 'reached',
      recipient_ids: null,
      due_at: new Date(now),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return { id, wave: { tenantId: ctx.tenantId, waveId: wave.id } };
}
