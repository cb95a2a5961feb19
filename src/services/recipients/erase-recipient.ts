import { sql } from 'kysely';
import { lockRecipients } from '#db/recipient-sql.ts';
import { notFound } from '#platform/errors.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant } from '#services/context.ts';
import { erasureHashes } from './erasures.ts';
import { recipientIdOf, selectRecipients } from './recipient-view.ts';

/**
 * Erases a person. Every address, name, place, word and free text of theirs goes. The numbered row stays, so that the counts
 * of past messages still add up, and keyed hashes of the addresses remain, so that no import brings the person back. A
 * repeat changes nothing.
 * @throws Problem 404
 */
export async function eraseRecipient(ctx: Context, publicId: string): Promise<void> {
  const id = recipientIdOf(ctx, publicId);
  const { tenantId } = ctx;
  await inTenant(ctx, async (tx) => {
    await lockRecipients(tx, tenantId);
    const row = await selectRecipients(tx, tenantId).where('r.id', '=', id).forUpdate().executeTakeFirst();
    if (!row) throw notFound('recipient');
    if (row.erased_at !== null) return;
    const hashes = erasureHashes(ctx, row);
    if (hashes.length > 0)
      await tx
        .insertInto('erasures')
        .values(hashes.map((address_hash) => ({ tenant_id: tenantId, address_hash })))
        .onConflict((c) => c.doNothing())
        .execute();
    await tx.deleteFrom('push_subscriptions').where('tenant_id', '=', tenantId).where('recipient_id', '=', id).execute();
    const addresses = [row.phone, row.email].filter((address) => address !== null);
    if (addresses.length > 0) {
      await tx.deleteFrom('suppressions').where('tenant_id', '=', tenantId).where('address', 'in', addresses).execute();
      await tx.deleteFrom('pending_joins').where('tenant_id', '=', tenantId).where('address', 'in', addresses).execute();
    }
    await tx
      .updateTable('answers')
      .set({ note: null })
      .where('tenant_id', '=', tenantId)
      .where('recipient_id', '=', id)
      .where('note', 'is not', null)
      .execute();
    const texts = tx.updateTable('inbound_texts').where('tenant_id', '=', tenantId).where('recipient_id', '=', id);
    await texts.set({ from_address: '', body: '' }).execute();
    await tx
      .updateTable('recipients')
      .set({
        ...{ external_id: null, name: null, phone: null, email: null, locale: null, time_zone: null, lat: null, lon: null },
        ...{ tags: [], skills: [], consent: sql`'{}'`, push_count: 0, phone_invalid_at: null, email_invalid_at: null },
        ...{ updated_at: sql`now()`, erased_at: sql`now()` },
      })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', id)
      .execute();
    // This comes last: the database removes notes from the history of erased people alone.
    await sql`SELECT forget_notes(${id})`.execute(tx);
    await appendAudit(tx, ctx, 'recipient.erase', id);
  });
}
