import { sql } from 'kysely';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import { wordingOf } from '#domain/message/wording.ts';
import type { Channel, MessageClass, MessageState } from '#schemas/delivery.ts';
import type { AnswerOption } from '#schemas/message.ts';
import type { Deps } from '#services/context.ts';

export const YES_NO_LATER: AnswerOption[] = [
  { key: 'yes', label: 'Yes, I come', counts: true },
  { key: 'no', label: 'No' },
  { key: 'later', label: 'Later' },
];

export interface MessageShape {
  class?: MessageClass;
  state?: MessageState;
  drill?: boolean;
  kind?: 'original' | 'correction' | 'all_clear' | 'join';
  followsId?: string | null;
  title?: string | null;
  text?: Record<string, string>;
  answers?: AnswerOption[];
  share?: boolean;
  channels?: Channel[];
  /** Negative: in the past. */
  expiresInHours?: number | null;
}

/** A message as it stands after its launch, written straight into the table. @returns its id */
export function addMessage(deps: Pick<Deps, 'db'>, tenantId: number, shape: MessageShape = {}): Promise<string> {
  const hours = shape.expiresInHours === undefined ? 12 : shape.expiresInHours;
  return deps.db.withTenant(tenantId, async (tx) => {
    const row = await tx
      .insertInto('messages')
      .values({
        tenant_id: tenantId,
        class: shape.class ?? 'ops',
        state: shape.state ?? 'live',
        drill: shape.drill ?? false,
        kind: shape.kind ?? 'original',
        follows_id: shape.followsId ?? null,
        title: shape.title ?? null,
        text: JSON.stringify(shape.text ?? { en: 'Missing walker. Meet at Ghyll car park by 14:30.' }),
        said: shape.class === 'life' ? JSON.stringify(wordingOf(Object.keys(shape.text ?? { en: '' }), { ...OPEN_POLICY.says, issuer: 'Test' }, {})) : null,
        fallback_locale: Object.keys(shape.text ?? { en: '' })[0] ?? 'en',
        answers: JSON.stringify(shape.answers ?? YES_NO_LATER),
        share: shape.share ?? false,
        audience: JSON.stringify({ all: true }),
        channels: JSON.stringify(shape.channels ?? ['sms']),
        expires_at: hours === null ? null : sql<Date>`now() + make_interval(hours => ${hours}::int)`,
        launched_at: shape.state === 'draft' || shape.state === 'scheduled' ? null : sql<Date>`now() - interval '1 minute'`,
        stopped_at: shape.state === 'stopped' ? sql<Date>`now()` : null,
        created_by: 'test',
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await sql`SELECT ensure_delivery_partition(${row.id})`.execute(tx);
    return row.id;
  });
}

/** `count` people with phone and e-mail, in one statement. @returns their ids in order */
export function addRecipients(deps: Pick<Deps, 'db'>, tenantId: number, count: number): Promise<string[]> {
  return deps.db.withTenant(tenantId, async (tx) => {
    const { rows } = await sql<{ id: string }>`
      WITH base AS (SELECT COALESCE(max(id), 0) AS n FROM recipients)
      INSERT INTO recipients (tenant_id, name, phone, email, locale, origin)
      SELECT ${tenantId}, 'Person ' || i, '+1555' || lpad((b.n + i)::text, 7, '0'), 'p' || b.n + i || '@people.test', 'en', 'api'
      FROM base b, generate_series(1, ${count}::int) i ORDER BY i RETURNING id`.execute(tx);
    return rows.map((row) => row.id);
  });
}

/** A delivery that was handed to the carrier, from the tenant's live sender of the channel. */
export function addDelivery(
  deps: Pick<Deps, 'db'>,
  tenantId: number,
  delivery: { messageId: string; recipientId: string; channel: Channel; wave?: number },
): Promise<void> {
  return deps.db.withTenant(tenantId, async (tx) => {
    await sql`
      INSERT INTO deliveries (message_id, recipient_id, channel, wave, tenant_id, sender_id, state, attempts, marked_at, settled_at)
      SELECT ${delivery.messageId}, ${delivery.recipientId}, ${delivery.channel}::channel, ${delivery.wave ?? 0}, ${tenantId},
        (SELECT id FROM senders WHERE tenant_id = ${tenantId} AND channel = ${delivery.channel}::channel AND NOT drill ORDER BY id LIMIT 1), 'accepted', 1, now(), now()`.execute(
      tx,
    );
  });
}
