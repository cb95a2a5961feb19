import { sql } from 'kysely';
import { type AudienceCount, audienceCondition, countAndHash } from '#db/audience/audience-sql.ts';
import { inOnePacket, type Tx } from '#db/database.ts';
import { prepared } from '#db/prepared.ts';
import { drillProblems } from '#domain/message/drill-text.ts';
import { expiryOf, repeatCodeOf } from '#domain/message/plan.ts';
import { missingWording } from '#domain/message/wording.ts';
import { assertSlots } from '#render/render-message.ts';
import { type FieldError, Problem } from '#platform/errors.ts';
import type { MessageInput } from '#schemas/message.ts';
import type { Wording } from '#schemas/wording.ts';
import type { MessageView } from '#schemas/views.ts';
import { appendAudits } from '#services/audit.ts';
import { type Context, inTenant, requireScope } from '#services/context.ts';
import { launchFacts } from '#services/organisations/launch-facts.ts';
import { announceLife, launchInTx } from './launch-message.ts';
import type { MessageRow } from '#services/message-row.ts';
import { viewMessage } from './message-view.ts';
import { announceWaves } from '#services/planning/plan-wave.ts';
import { wordingBy } from './wording.ts';
import { unknownIds } from './unknown-ids.ts';

/** Facts that come with a message from elsewhere. */
export interface MessageOrigin {
  /** Fields of the CAP alert that it was made from. */
  cap?: unknown;
  /** Row of the message that it is about, and what it does to it. */
  follows?: { id: string; kind: 'original' | 'correction' | 'all_clear' };
}

/** An alert from elsewhere is kept as it came, also when it is stale: then its draft cannot be launched. */
const ALERT_MAY = new Set(['expiry_required', 'expired']);

/**
 * Writes a draft (or, with `launch`, a launched message) in one transaction together with its audit entry and the
 * answer to its Idempotency-Key.
 * @throws Problem 422 naming the fields
 */
export async function createMessage(ctx: Context, input: MessageInput, origin: MessageOrigin = {}): Promise<MessageView> {
  requireScope(ctx, 'write');
  if (input.launch) announceLife(ctx, input.class);
  const result = await inTenant(ctx, async (tx) => {
    const condition = audienceCondition(input.audience, (id) => ctx.ids.decode('rcp', id));
    const [facts, counted] = await Promise.all([launchFacts(tx, ctx.tenantId), countAndHash(tx, ctx.tenantId, condition)]);
    const said = wordingBy(facts, input);
    const expiresAt = checkedExpiry(ctx, input, said, !input.launch && origin.cap !== undefined);
    const row = await insertMessage(tx, ctx, input, origin, { said, expires_at: expiresAt, counted });
    const created = { action: 'message.create', object: row.id, detail: { class: input.class, drill: input.drill } };
    inOnePacket(tx);
    const { audienceHash, acknowledge } = input;
    const [waves] = await Promise.all([
      input.launch
        ? launchInTx(tx, ctx, { row, facts }, { audienceHash, acknowledge, counted, before: [created] })
        : appendAudits(tx, ctx, [created]).then(() => []),
      prepareForDeliveries(tx, row),
    ]);
    const view = await viewMessage(tx, ctx, row.id);
    await ctx.idempotency?.complete(tx, 201, view);
    return { view, waves };
  });
  await announceWaves(ctx, result.waves);
  return result.view;
}

/**
 * Checks what a message says by itself, whoever it goes to.
 * @returns when it expires
 * @throws Problem 422 naming the fields
 */
export function checkedExpiry(
  ctx: Context,
  input: Omit<MessageInput, 'launch' | 'audienceHash' | 'acknowledge'>,
  said: Wording | null,
  fromAlert: boolean,
): Date | null {
  const problems: FieldError[] = [...assertSlots(input.text), ...unknownIds(ctx, input.audience, 'audience')];
  const startAt = input.startAt === undefined ? null : Date.parse(input.startAt);
  const expiry = expiryOf(input.class, input.expiresAt === undefined ? null : Date.parse(input.expiresAt), startAt, ctx.clock.now());
  if ('code' in expiry && !(fromAlert && ALERT_MAY.has(expiry.code))) problems.push({ field: 'expiresAt', ...expiry });
  if (input.class === 'life' && !fromAlert) problems.push(...missingWording(Object.keys(input.text), said));
  problems.push(...drillProblems({ ...input, said }));
  if (problems.length > 0) throw new Problem(422, 'invalid_message', problems.map((p) => `${p.field}: ${p.detail}`).join('; '), { errors: problems });
  if (!('code' in expiry)) return new Date(expiry.expiresAt);
  return input.expiresAt === undefined ? null : new Date(input.expiresAt);
}

export async function insertMessage(
  tx: Tx,
  ctx: Context,
  input: MessageInput,
  origin: MessageOrigin,
  { said, expires_at, counted }: { said: Wording | null; expires_at: Date | null; counted: AudienceCount },
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
      said: said && JSON.stringify(said),
      expires_at,
      start_at: input.startAt ?? null,
      created_by: ctx.actor.label,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** What needs the id. The partition for its deliveries is made ahead, so that launching never waits for a table to be made. */
export const prepareForDeliveries = (tx: Tx, { tenant_id: tenantId, id }: Pick<MessageRow, 'tenant_id' | 'id'>): Promise<unknown> =>
  Promise.all([SET_REPEAT_CODE(tx, { tenantId, id, repeatCode: repeatCodeOf(id) }), ENSURE_PARTITIONS(tx, { id })]);

const SET_REPEAT_CODE = prepared<{ tenantId: number; id: string; repeatCode: string }, unknown>(
  'set_repeat_code',
  (at) => sql`UPDATE messages SET mark = ${at('repeatCode')} WHERE tenant_id = ${at('tenantId')} AND id = ${at('id')}`,
);

const ENSURE_PARTITIONS = prepared<{ id: string }, unknown>(
  'delivery_partition',
  (at) => sql`SELECT ensure_delivery_partition(${at('id')}::bigint), ensure_delivery_partition(${at('id')}::bigint + 4096)`,
);
