import { applyReceipts } from '#db/delivery/apply-receipts.ts';
import type { Tx } from '#db/database.ts';
import { markAddressInvalid, suppress } from '#db/suppress.ts';
import { RANK } from '#domain/delivery/delivery.ts';
import type { Evidence } from '#domain/delivery/evidence.ts';
import type { DeliveryRef } from '#domain/delivery/refs.ts';
import { addressFacts } from '#schemas/channel-facts.ts';
import { type Deps, notifyProgress } from '#services/context.ts';

/** Evidence about one delivery. */
export interface Receipt extends Evidence {
  readonly ref: DeliveryRef;
}

/**
 * Projects a group of receipts of one tenant onto deliveries in one transaction. They may be repeated, and come in any order.
 * @returns how many deliveries moved
 */
export async function recordReceipts(deps: Pick<Deps, 'db'>, tenantId: number, receipts: readonly Receipt[]): Promise<number> {
  if (receipts.length === 0) return 0;
  return deps.db.withTenant(tenantId, async (tx) => {
    const moved = await applyReceipts(tx, tenantId, highestOf(receipts));
    for (const receipt of receipts) if (receipt.effect) await applyEffect(tx, tenantId, receipt);
    for (const messageId of new Set(moved.map((row) => row.messageId))) await notifyProgress(tx, tenantId, messageId);
    return moved.length;
  });
}

/** Picks one receipt for each delivery: the one of the highest rank. */
function highestOf(receipts: readonly Receipt[]): Receipt[] {
  const best = new Map<string, Receipt>();
  for (const receipt of receipts) {
    const key = `${receipt.ref.messageId}.${receipt.ref.recipientId}.${receipt.ref.channel}.${receipt.ref.wave}`;
    const known = best.get(key);
    if (!known || RANK[receipt.state] > RANK[known.state]) best.set(key, receipt);
  }
  return [...best.values()];
}

async function applyEffect(tx: Tx, tenantId: number, receipt: Receipt): Promise<void> {
  const { recipientId, channel } = receipt.ref;
  if (receipt.effect === 'address_invalid') await markAddressInvalid(tx, tenantId, channel, [recipientId]);
  else if (receipt.effect) await suppressFor(tx, tenantId, receipt.ref, receipt.effect);
}

/** Stops the sender of a delivery from using the address again that it went to. */
export async function suppressFor(
  tx: Tx,
  tenantId: number,
  { messageId, recipientId, channel, wave }: Receipt['ref'],
  reason: 'opted_out' | 'no_mailbox' | 'complaint',
): Promise<void> {
  const { column } = addressFacts(channel);
  if (column === null) return;
  const facts = await tx
    .selectFrom('deliveries as d')
    .innerJoin('recipients as r', (join) => join.onRef('r.id', '=', 'd.recipient_id').onRef('r.tenant_id', '=', 'd.tenant_id'))
    .select(['d.sender_id', `r.${column} as address`])
    .where('d.message_id', '=', messageId)
    .where('d.recipient_id', '=', recipientId)
    .where('d.channel', '=', channel)
    .where('d.wave', '=', wave)
    .executeTakeFirst();
  if (!facts?.address || facts.sender_id === null) return;
  await suppress(tx, tenantId, [{ senderId: facts.sender_id, address: facts.address, reason, source: 'receipt' }]);
}
