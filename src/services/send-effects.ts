import { sql } from 'kysely';
import type { ClaimedBatch } from '#db/claim-batch.ts';
import type { Tx } from '#db/database.ts';
import type { MarkedPerson } from '#db/mark-slice.ts';
import type { SendResult } from '#domain/channel.ts';

interface Sent extends SendResult {
  readonly person: MarkedPerson;
}

/** What outcomes say about addresses: opted out or no mailbox -> suppressed for this sender; impossible -> marked; dead subscriptions -> removed. */
export async function applySendEffects(tx: Tx, batch: ClaimedBatch, results: readonly Sent[]): Promise<void> {
  const { tenantId, senderId, channel } = batch;
  const gone = results.flatMap(({ person, outcome }) =>
    outcome.kind === 'gone' && outcome.reason !== 'subscription_gone' ? [{ address: person.address.toLowerCase(), reason: outcome.reason }] : [],
  );
  if (gone.length > 0)
    await tx
      .insertInto('suppressions')
      .values(gone.map(({ address, reason }) => ({ tenant_id: tenantId, sender_id: senderId, address, reason, source: 'provider' })))
      .onConflict((c) => c.doNothing())
      .execute();
  const invalid = results.flatMap(({ person, outcome }) => (outcome.kind === 'rejected' && outcome.addressInvalid ? [person.id] : []));
  if (invalid.length > 0 && channel !== 'push') {
    const column = channel === 'sms' ? 'phone_invalid_at' : 'email_invalid_at';
    await sql`UPDATE recipients SET ${sql.ref(column)} = now() WHERE tenant_id = ${tenantId} AND id = ANY (${invalid}::bigint[])`.execute(tx);
  }
  const subscriptions = results.flatMap((result) => result.goneSubscriptions ?? []);
  if (subscriptions.length > 0)
    await sql`
      WITH removed AS (DELETE FROM push_subscriptions WHERE tenant_id = ${tenantId} AND id = ANY (${subscriptions}::bigint[]) RETURNING recipient_id),
      lost AS (SELECT recipient_id, count(*)::smallint AS n FROM removed GROUP BY recipient_id)
      UPDATE recipients r SET push_count = GREATEST(0, r.push_count - lost.n) FROM lost WHERE r.tenant_id = ${tenantId} AND r.id = lost.recipient_id`.execute(
      tx,
    );
}
