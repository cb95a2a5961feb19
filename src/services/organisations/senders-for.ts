import type { Tx } from '#db/database.ts';
import { firstWell } from '#domain/delivery/choose-sender.ts';
import { type Channel, CHANNELS, type MessageClass } from '#schemas/delivery.ts';
import type { LaunchSender } from './launch-facts.ts';

export type ChosenSenders = Partial<Record<Channel, number>>;
/** Per channel the other senders of the class, whose opt-outs hold as well. Nobody's for life: there each number's own list holds. */
export type OptOutsOf = Partial<Record<Channel, readonly number[]>>;

/**
 * The sender of each channel for this class: the first that serves it and is well; when none is, the first, and what it
 * should send waits there. A simulated one never takes a real one's place.
 */
export async function chooseSenders(
  tx: Tx,
  tenantId: number,
  messageClass: MessageClass,
  drill: boolean,
): Promise<{ senders: ChosenSenders; optOutsOf: OptOutsOf }> {
  const rows = await tx
    .selectFrom('senders')
    .select(['id', 'channel', 'classes', 'simulated', 'stopped_at', 'breaker_opened_at'])
    .where('tenant_id', '=', tenantId)
    .where('drill', '=', drill)
    .orderBy('id')
    .execute();
  return chosenOf(
    rows.map((row) => ({ ...row, well: row.stopped_at === null && row.breaker_opened_at === null })),
    messageClass,
  );
}

/** The same out of all that an organisation has for this kind of message, in the order of their ids. */
export function chosenOf(all: readonly Omit<LaunchSender, 'drill'>[], messageClass: MessageClass): { senders: ChosenSenders; optOutsOf: OptOutsOf } {
  const senders: ChosenSenders = {};
  const optOutsOf: OptOutsOf = {};
  for (const channel of CHANNELS) {
    const serving = all.filter((one) => one.channel === channel && one.classes.includes(messageClass));
    const alike = serving.filter((one) => one.simulated === serving[0]?.simulated);
    const chosen = firstWell(alike);
    if (!chosen) continue;
    senders[channel] = chosen.id;
    if (messageClass !== 'life') optOutsOf[channel] = alike.flatMap(({ id }) => (id === chosen.id ? [] : [id]));
  }
  return { senders, optOutsOf };
}
