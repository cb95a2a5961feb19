import { sql } from 'kysely';
import { addressFacts, type Channel } from '#schemas/channel-facts.ts';
import type { SuppressionsTable } from '#schemas/database.ts';
import type { Tx } from './database.ts';

export interface SuppressedAddress {
  readonly senderId: number;
  /** The address as it was used. It is kept in lower case, which changes no telephone number. */
  readonly address: string;
  readonly reason: SuppressionsTable['reason'];
  /** Where it comes from: `provider`, `receipt`, `link`, the channel of a text, or the label of the actor. */
  readonly source: string;
}

/**
 * Stops senders from ever using these addresses. A sender that is stopped already keeps its first reason.
 * @returns the senders that were stopped now, one entry for each address
 */
export async function suppress(tx: Tx, tenantId: number, addresses: readonly SuppressedAddress[]): Promise<number[]> {
  if (addresses.length === 0) return [];
  const rows = addresses.map(({ senderId, address, reason, source }) => ({
    tenant_id: tenantId,
    sender_id: senderId,
    address: address.toLowerCase(),
    reason,
    source,
  }));
  const added = await tx
    .insertInto('suppressions')
    .values(rows)
    .onConflict((c) => c.doNothing())
    .returning('sender_id')
    .execute();
  return added.map((row) => row.sender_id);
}

/**
 * Marks these people's address of a channel as one that no carrier can reach. Subscriptions are no address: there a dead one
 * is removed instead.
 */
export async function markAddressInvalid(tx: Tx, tenantId: number, channel: Channel, recipientIds: readonly string[]): Promise<void> {
  const { invalidColumn } = addressFacts(channel);
  if (recipientIds.length === 0 || invalidColumn === null) return;
  await sql`
    UPDATE recipients
    SET ${sql.ref(invalidColumn)} = now()
    WHERE tenant_id = ${tenantId}
      AND id = ANY (${[...recipientIds]}::bigint[])`.execute(tx);
}
