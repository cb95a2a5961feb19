import { applyReceipts, type ReceiptRow } from '#db/delivery/apply-receipts.ts';
import type { Tx } from '#db/database.ts';
import { markAddressInvalid, suppress } from '#db/suppress.ts';
import { RANK } from '#domain/delivery/delivery.ts';
import { type Deps, notifyProgress } from '#services/context.ts';

/** A sign from outside about one delivery, already verified. */
export interface Receipt extends ReceiptRow {
  /** What the code says of the address itself. */
  readonly effect?: 'opted_out' | 'no_mailbox' | 'address_invalid' | undefined;
}

/**
 * Projects a group of receipts of one tenant onto deliveries, in one transaction. Repeats and any order are harmless.
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

/** One receipt per delivery: the one of the highest rank. */
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
  if (channel === 'push') return;
  if (receipt.effect === 'address_invalid') await markAddressInvalid(tx, tenantId, channel, [recipientId]);
  else if (receipt.effect) await suppressFor(tx, tenantId, receipt.ref, receipt.effect);
}

/** Stops the sender of a delivery from using the address again that it went to. */
export async function suppressFor(
  tx: Tx,
  tenantId: number,
  { messageId, recipientId, channel, wave }: ReceiptRow['ref'],
  reason: 'opted_out' | 'no_mailbox' | 'complaint',
): Promise<void> {
  if (channel === 'push') return;
  const column = channel === 'sms' ? 'phone' : 'email';
  const facts = await tx
    .selectFrom('deliveries')
    .innerJoin('recipients', (join) => join.onRef('recipients.id', '=', 'deliveries.recipient_id').onRef('recipients.tenant_id', '=', 'deliveries.tenant_id'))
    .select(['deliveries.sender_id', `recipients.${column} as address`])
    .where('deliveries.message_id', '=', messageId)
    .where('deliveries.recipient_id', '=', recipientId)
    .where('deliveries.channel', '=', channel)
    .where('deliveries.wave', '=', wave)
    .executeTakeFirst();
  if (!facts?.address || facts.sender_id === null) return;
  await suppress(tx, tenantId, [{ senderId: facts.sender_id, address: facts.address, reason, source: 'receipt' }]);
}
