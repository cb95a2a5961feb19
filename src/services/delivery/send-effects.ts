import { sql } from 'kysely';
import type { ClaimedBatch } from '#db/delivery/claim-batch.ts';
import type { Tx } from '#db/database.ts';
import type { MarkedPerson } from '#db/delivery/mark-slice.ts';
import { markAddressInvalid, suppress } from '#db/suppress.ts';
import type { SendResult } from '#domain/delivery/channel.ts';

/** What came of the call to one person. */
export interface Sent extends SendResult {
  readonly person: MarkedPerson;
}

/**
 * Acts on what outcomes say about addresses. One that opted out or has no mailbox is suppressed for this sender, one that no carrier
 * can reach is marked, and a dead subscription is removed.
 */
export async function applySendEffects(tx: Tx, batch: ClaimedBatch, results: readonly Sent[]): Promise<void> {
  const { tenantId, senderId, channel } = batch;
  const gone = results.flatMap(({ person, outcome }) =>
    outcome.kind === 'gone' && outcome.reason !== 'subscription_gone'
      ? [{ senderId, address: person.address, reason: outcome.reason, source: 'provider' }]
      : [],
  );
  await suppress(tx, tenantId, gone);
  const invalid = results.flatMap(({ person, outcome }) => (outcome.kind === 'rejected' && outcome.addressInvalid ? [person.id] : []));
  await markAddressInvalid(tx, tenantId, channel, invalid);
  const subscriptions = results.flatMap((result) => result.goneSubscriptions ?? []);
  if (subscriptions.length > 0)
    await sql`
      WITH removed AS (
        DELETE FROM push_subscriptions
        WHERE tenant_id = ${tenantId} AND id = ANY (${subscriptions}::bigint[])
        RETURNING recipient_id
      ), lost AS (
        SELECT recipient_id, count(*)::smallint AS n
        FROM removed
        GROUP BY recipient_id
      )
      UPDATE recipients r SET push_count = GREATEST(0, r.push_count - lost.n)
      FROM lost
      WHERE r.tenant_id = ${tenantId} AND r.id = lost.recipient_id`.execute(tx);
}
