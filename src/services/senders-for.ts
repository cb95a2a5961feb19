import type { Tx } from '#db/database.ts';
import { type Channel, CHANNELS, type MessageClass } from '#schemas/delivery.ts';

/** The sender of each channel for this class: the first that serves it. A stopped one still queues. */
export async function sendersFor(tx: Tx, tenantId: number, klass: MessageClass, drill: boolean): Promise<Partial<Record<Channel, number>>> {
  const rows = await tx
    .selectFrom('senders')
    .select(['id', 'channel', 'classes'])
    .where('tenant_id', '=', tenantId)
    .where('drill', '=', drill)
    .orderBy('id')
    .execute();
  const senders: Partial<Record<Channel, number>> = {};
  for (const channel of CHANNELS) {
    const sender = rows.find((row) => row.channel === channel && row.classes.includes(klass));
    if (sender) senders[channel] = sender.id;
  }
  return senders;
}
