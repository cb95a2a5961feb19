import type { Tx } from '#db/database.ts';
import { firstWell } from '#domain/delivery/choose-sender.ts';
import { type Channel, CHANNELS, type MessageClass } from '#schemas/delivery.ts';
import type { LaunchSender } from './launch-facts.ts';

export type ChosenSenders = Partial<Record<Channel, number>>;
/**
 * Per channel the other senders of the class, whose opt-outs hold as well. It is empty for life messages: there each number's
 * own list of opt-outs holds.
 */
export type OptOutsOf = Partial<Record<Channel, readonly number[]>>;

/**
 * Chooses the sender of each channel for this class: the first that serves the class and is well. When none is well it is the
 * first of them, and the batches wait there. A simulated sender never takes the place of a real one.
 */
export async function chooseSenders(tx: Tx, tenantId: number, messageClass: MessageClass, drill: boolean): Promise<Chosen> {
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

export interface Chosen {
  readonly senders: ChosenSenders;
  readonly optOutsOf: OptOutsOf;
}

/**
 * Does what `chooseSenders` does, without the database.
 * @param all every sender that the organisation has for this kind of message (drill or not), in the order of their ids
 */
export function chosenOf(all: readonly Omit<LaunchSender, 'drill'>[], messageClass: MessageClass): Chosen {
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
