import { sql } from 'kysely';
import { type AudienceCount, countAndHash } from '#db/audience/audience-sql.ts';
import { together, type Tx } from '#db/database.ts';
import { prepared } from '#db/prepared.ts';
import { repeatCodeOf } from '#domain/message/plan.ts';
import type { MessageInput } from '#schemas/message.ts';
import type { Wording } from '#schemas/wording.ts';
import type { MessageView } from '#schemas/views.ts';
import { appendAudits } from '#services/audit.ts';
import { type Context, inTenant, requireScope } from '#services/context.ts';
import type { MessageRow } from '#services/message-row.ts';
import { launchFacts } from '#services/organisations/launch-facts.ts';
import { announceWaves, type BegunWave } from '#services/planning/plan-wave.ts';
import { conditionOf } from './audience-condition.ts';
import { checkedExpiry } from './check-message.ts';
import { announceLife, launchDraft } from './launch-draft.ts';
import { viewMessage } from './message-view.ts';
import { wordingBy } from './wording.ts';

/** Facts that come with a message from elsewhere. */
export interface MessageOrigin {
  /** Fields of the CAP alert that it was made from. */
  cap?: unknown;
  /** Row of the message that it is about, and what it does to it. */
  follows?: { id: string; kind: 'original' | 'correction' | 'all_clear' };
}

/**
 * Writes a draft (or, with `launch`, a launched message) in one transaction together with its audit entry and the
 * answer to its Idempotency-Key.
 * @throws Problem 403 `scope_missing`; 422 naming the fields; with `launch` also what `launchMessage` throws
 */
export async function createMessage(ctx: Context, input: MessageInput, origin: MessageOrigin = {}): Promise<MessageView> {
  requireScope(ctx, 'write');
  if (input.launch) announceLife(ctx, input.class);
  const result = await inTenant(ctx, async (tx) => {
    const condition = conditionOf(ctx, input.audience);
    const [facts, counted] = await Promise.all([launchFacts(tx, ctx.tenantId), countAndHash(tx, ctx.tenantId, condition)]);
    const wording = wordingBy(facts, input);
    const expiresAt = checkedExpiry(ctx, input, { wording, tenantName: facts.name }, !input.launch && origin.cap !== undefined);
    const row = await insertMessage(tx, ctx, input, origin, { wording, expiresAt, counted });
    const created = { action: 'message.create', object: row.id, detail: { class: input.class, drill: input.drill } };
    const finish = async (): Promise<BegunWave[]> => {
      // Only the draft of an alert may be without an expiry, and that is never launched here.
      if (input.launch && expiresAt)
        return launchDraft(tx, ctx, { row, facts }, input, { resolved: { condition, counted, wording, expiresAt }, audits: [created] });
      await appendAudits(tx, ctx, [created]);
      return [];
    };
    const [waves] = await together(tx, finish, () => prepareForDeliveries(tx, row));
    const view = await viewMessage(tx, ctx, row.id);
    await ctx.idempotency?.complete(tx, 201, view);
    return { view, waves };
  });
  await announceWaves(ctx, result.waves);
  return result.view;
}

export async function insertMessage(
  tx: Tx,
  ctx: Context,
  input: MessageInput,
  origin: MessageOrigin,
  { wording, expiresAt, counted }: { wording: Wording | null; expiresAt: Date | null; counted: AudienceCount },
): Promise<MessageRow> {
  return tx
    .insertInto('messages')
    .values({
      tenant_id: ctx.tenantId,
      class: input.class,
      drill: input.drill,
      title: input.title ?? null,
      text: JSON.stringify(input.text),
      fallback_locale: Object.keys(input.text)[0] ?? 'en',
      answers: JSON.stringify(input.answers),
      share: input.share,
      audience: JSON.stringify(input.audience),
      channels: JSON.stringify(input.channels),
      audience_count: String(counted.count),
      audience_hash: counted.hash,
      cap: origin.cap === undefined ? null : JSON.stringify(origin.cap),
      follows_id: origin.follows?.id ?? null,
      kind: origin.follows?.kind ?? 'original',
      said: wording && JSON.stringify(wording),
      expires_at: expiresAt,
      start_at: input.startAt ?? null,
      created_by: ctx.actor.label,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/**
 * Writes what needs the message's id. The partition for its deliveries and the next one are made ahead, so that a launch
 * never waits for a table to be made.
 */
export const prepareForDeliveries = (tx: Tx, { tenant_id: tenantId, id }: Pick<MessageRow, 'tenant_id' | 'id'>): Promise<unknown> =>
  together(
    tx,
    () => SET_REPEAT_CODE(tx, { tenantId, id, repeatCode: repeatCodeOf(id) }),
    () => ENSURE_PARTITIONS(tx, { id }),
  );

const SET_REPEAT_CODE = prepared<{ tenantId: number; id: string; repeatCode: string }, unknown>(
  'set_repeat_code',
  (at) => sql`
    UPDATE messages SET mark = ${at('repeatCode')}
    WHERE tenant_id = ${at('tenantId')} AND id = ${at('id')}`,
);

const ENSURE_PARTITIONS = prepared<{ id: string }, unknown>(
  'delivery_partition',
  (at) => sql`
    SELECT ensure_delivery_partition(${at('id')}::bigint), ensure_delivery_partition(${at('id')}::bigint + 4096)`,
);
