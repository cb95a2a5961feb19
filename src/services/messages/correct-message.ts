import { sql } from 'kysely';
import { together, type Tx } from '#db/database.ts';
import { lockForStop } from '#db/delivery/stop-lock.ts';
import { drillProblems } from '#domain/message/drill-text.ts';
import { expiryOf } from '#domain/message/plan.ts';
import { wordingOf } from '#domain/message/wording.ts';
import { conflict, type FieldError, invalidFields, notFound, Problem } from '#platform/errors.ts';
import { assertSlots } from '#render/render-message.ts';
import type { Wording, WordingInput } from '#schemas/wording.ts';
import { CHANNELS } from '#schemas/delivery.ts';
import type { MessageView } from '#schemas/views.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant, requireScope } from '#services/context.ts';
import type { DueWave } from '#services/planning/plan-wave.ts';
import { loadMessage, type MessageRow } from '#services/message-row.ts';
import { countWhoMayHave } from './count-may-have.ts';
import { prepareForDeliveries } from './create-message.ts';
import { viewMessages } from './message-view.ts';
import { stopRow } from './stop-message.ts';

export interface CorrectInput {
  text: Record<string, string>;
  title?: string | undefined;
  kind: 'correction' | 'all_clear';
  /** Takes the place of what the first message said. */
  says?: WordingInput | undefined;
  /** The correction is refused unless so many people may have had the message. */
  count?: number | undefined;
}

/** So many corrections of a message and of its corrections are enough within this time; a sixth is more likely a loop. */
const CORRECTIONS_MAX = 5;
const WITHIN_SECONDS = 600;

/**
 * Corrects a message, or gives the all-clear: stops what is still queued of it, then goes to exactly those who may have
 * had it (attempting, accepted, in doubt, delivered, and those who joined through a share), each by the channel that it may
 * have come by. One person is enough, without an approval, because a correction undoes harm. It is a send all the
 * same, so that person needs the scope of the message's class.
 * @throws Problem 403 `scope_missing`; 404; 409 `not_launched`, `count_changed`, `nobody_had_it` (the stop holds all the same);
 *   422 naming fields; 429 `too_many_corrections`
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
    requireScope(ctx, `send:${first.class}`);
    if (first.launched_at === null)
      throw conflict('not_launched', 'Nobody has had this message; change the draft instead.', { state: first.state });
    const said = followingWords(first, input);
    refuse(drillProblems({ drill: first.drill, title: input.title, text: input.text, said, answers: first.answers }));
    if (input.kind === 'correction') await boundCorrections(tx, ctx.tenantId, first.id);
    if (first.state === 'live' || first.state === 'scheduled') await stopRow(tx, ctx, first.id);
    const count = await countWhoMayHave(tx, ctx.tenantId, first.id);
    if (input.count !== undefined && input.count !== count)
      throw conflict('count_changed', `${count} people may have had this message by now, not ${input.count}: look again.`, { count });
    // It is refused after the commit, so that the stop holds all the same.
    if (count === 0) return { view: undefined, wave: undefined, stopped: first.id };
    const { id, wave } = await insertCorrection(tx, ctx, first, { ...input, said }, count);
    await appendAudit(tx, ctx, `message.${input.kind}`, id, { follows: first.id, count });
    const correction = await tx
      .selectFrom('messages')
      .selectAll()
      .where('tenant_id', '=', ctx.tenantId)
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    const [made] = await viewMessages(tx, ctx, [correction]);
    if (!made) throw notFound('message');
    await ctx.idempotency?.complete(tx, 201, made);
    return { view: made, wave, stopped: first.id };
  });
  await Promise.all([due && ctx.queue.nudge('plan', due), ctx.queue.nudge('close', { tenantId: ctx.tenantId, messageId: stopped })]);
  if (!view) throw conflict('nobody_had_it', 'No call of this message was made, so nobody needs to be told. It is stopped.', { count: 0 });
  return view;
}

/** The caller holds the stop lock, so that corrections are counted one after the other. */
async function boundCorrections(tx: Tx, tenantId: number, messageId: string): Promise<void> {
  const { rows } = await sql<{ n: number; seconds: number }>`
    WITH RECURSIVE up AS (
      SELECT m.id, m.follows_id FROM messages m
      WHERE m.tenant_id = ${tenantId} AND m.id = ${messageId}
      UNION ALL
      SELECT m.id, m.follows_id FROM messages m
      JOIN up ON m.id = up.follows_id
      WHERE m.tenant_id = ${tenantId}
    ), tree AS (
      SELECT up.id FROM up
      WHERE up.follows_id IS NULL
      UNION ALL
      SELECT m.id FROM messages m
      JOIN tree ON m.follows_id = tree.id
      WHERE m.tenant_id = ${tenantId}
    )
    SELECT count(*)::float8 AS n, extract(epoch FROM now() - min(m.launched_at))::float8 AS seconds
    FROM tree
    JOIN messages m ON m.tenant_id = ${tenantId} AND m.id = tree.id
    WHERE m.kind = 'correction' AND m.launched_at > now() - ${WITHIN_SECONDS} * interval '1 second'`.execute(tx);
  const { n = 0, seconds = 0 } = rows[0] ?? {};
  if (n < CORRECTIONS_MAX) return;
  throw new Problem(
    429,
    'too_many_corrections',
    `${n} corrections of this message went out within ten minutes. Wait, or give the all-clear.`,
    {
      extra: { retryAfterSeconds: Math.max(1, Math.ceil(WITHIN_SECONDS - seconds)) },
    },
  );
}

function refuse(problems: readonly FieldError[]): void {
  if (problems.length > 0) throw invalidFields('invalid_message', problems);
}

/** The wording of the first message, but for what to do: that is what the new text says. */
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
      // A correction of a correction still follows the first message of all, so that it replaces the same notification.
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
  const due = {
    tenant_id: ctx.tenantId,
    message_id: id,
    ordinal: 0,
    channels: [...CHANNELS],
    mode: 'parallel' as const,
    selects: 'reached' as const,
    recipient_ids: null,
    due_at: new Date(now),
  };
  const [wave] = await together(
    tx,
    () => tx.insertInto('waves').values(due).returning('id').executeTakeFirstOrThrow(),
    () => prepareForDeliveries(tx, { tenant_id: ctx.tenantId, id }),
  );
  return { id, wave: { tenantId: ctx.tenantId, waveId: wave.id } };
}
