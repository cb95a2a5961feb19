import type { Tx } from '#db/database.ts';
import { suppress } from '#db/suppress.ts';
import { type DeliveryRef, unpackRef } from '#domain/delivery/refs.ts';
import { addressFacts } from '#schemas/channel-facts.ts';
import { type Deps, systemActor } from '#services/context.ts';
import { appendAudit } from '#services/audit.ts';
import { tenantOfMessage } from '#services/tenant-of-message.ts';

/** What the unsubscribe page may say. It names the organisation and the channel; the address itself is shown to nobody. */
export interface Unsubscribe {
  readonly tenantId: number;
  readonly ref: DeliveryRef;
  readonly tenantName: string;
  readonly locale: string;
  readonly erased: boolean;
  /** Nothing more is sent to this address from this sender. */
  readonly done: boolean;
}

interface Subject {
  senderId: number | null;
  address: string | null;
}

/** @returns undefined for a token that is not ours or names no delivery */
export async function loadUnsubscribe(deps: Pick<Deps, 'db' | 'tokens'>, token: string): Promise<Unsubscribe | undefined> {
  const sealed = deps.tokens.open('unsubscribe', token);
  const ref = sealed && unpackRef(sealed);
  const tenantId = ref && (await tenantOfMessage(deps, ref.messageId));
  if (!ref || tenantId === undefined) return undefined;
  return deps.db.withTenant(tenantId, async (tx) => {
    const person = await tx
      .selectFrom('recipients as r')
      .innerJoin('tenants as t', 't.tenant_id', 'r.tenant_id')
      .select(['r.locale', 'r.erased_at', 'r.push_count', 't.name', 't.default_locale'])
      .where('r.tenant_id', '=', tenantId)
      .where('r.id', '=', ref.recipientId)
      .executeTakeFirst();
    if (!person) return undefined;
    const { senderId, address } = await subjectOf(tx, tenantId, ref);
    if (senderId === null && person.erased_at === null) return undefined;
    const known =
      senderId === null || address === null
        ? undefined
        : await tx
            .selectFrom('suppressions')
            .select('reason')
            .where('tenant_id', '=', tenantId)
            .where('sender_id', '=', senderId)
            .where('address', '=', address)
            .executeTakeFirst();
    const done = addressFacts(ref.channel).column === null ? person.push_count === 0 : known !== undefined;
    const locale = person.locale ?? person.default_locale;
    return { tenantId, ref, tenantName: person.name, locale, erased: person.erased_at !== null, done };
  });
}

/** The sender that the delivery left from, and the address that it went to. */
async function subjectOf(tx: Tx, tenantId: number, ref: DeliveryRef): Promise<Subject> {
  const row = await tx
    .selectFrom('deliveries as d')
    .innerJoin('recipients as r', (join) => join.onRef('r.tenant_id', '=', 'd.tenant_id').onRef('r.id', '=', 'd.recipient_id'))
    .select(['d.sender_id', 'r.email', 'r.phone'])
    .where('d.tenant_id', '=', tenantId)
    .where('d.message_id', '=', ref.messageId)
    .where('d.recipient_id', '=', ref.recipientId)
    .where('d.channel', '=', ref.channel)
    .where('d.wave', '=', ref.wave)
    .executeTakeFirst();
  const { column } = addressFacts(ref.channel);
  // As it is kept in the suppressions: in lower case, which changes no telephone number.
  return { senderId: row?.sender_id ?? null, address: (column && row?.[column]?.toLowerCase()) ?? null };
}

/**
 * Ends the messages from that delivery's sender to that address. Where subscriptions are the address, the person's subscriptions
 * end. A repeat changes nothing.
 */
export async function unsubscribe(deps: Pick<Deps, 'db'>, { tenantId, ref }: Unsubscribe): Promise<void> {
  await deps.db.withTenant(tenantId, async (tx) => {
    if (addressFacts(ref.channel).column === null) {
      const { recipientId } = ref;
      await tx.deleteFrom('push_subscriptions').where('tenant_id', '=', tenantId).where('recipient_id', '=', recipientId).execute();
      await tx.updateTable('recipients').set({ push_count: 0 }).where('tenant_id', '=', tenantId).where('id', '=', recipientId).execute();
      return;
    }
    const { senderId, address } = await subjectOf(tx, tenantId, ref);
    if (senderId === null || address === null) return;
    const added = await suppress(tx, tenantId, [{ senderId, address, reason: 'opted_out', source: 'link' }]);
    if (added.length > 0)
      await appendAudit(tx, { tenantId, actor: { ...systemActor, label: 'link' } }, 'suppression.add', String(senderId), {
        recipient: ref.recipientId,
        by: 'unsubscribe',
      });
  });
}
