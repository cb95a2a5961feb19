import { findByKeys, lockRecipients, updatePeople } from '#db/recipient-sql.ts';
import type { Person } from '#domain/recipients/merge-recipients.ts';
import type { RecipientChange, RecipientView } from '#schemas/recipient.ts';
import { invalidField } from '#platform/errors.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant } from '#services/context.ts';
import { erasedAmong } from './erasures.ts';
import { assertFree, assertWhole, recipientFieldsOf } from './recipient-fields-of.ts';
import { loadRecipient, type RecipientRow, viewRecipient } from './recipient-view.ts';

const CLEARED = {
  externalId: 'external_id',
  name: 'name',
  phone: 'phone',
  email: 'email',
  locale: 'locale',
  timeZone: 'time_zone',
  lat: 'lat',
  lon: 'lon',
  consent: 'consent',
} as const;

/**
 * Changes what is given of one person; `null` clears a field. A new address is not marked invalid, even if the old one was.
 * @throws Problem 404; 410 `erased`; 422 naming the fields; 409 `address_taken` with `recipientId`
 */
export async function changeRecipient(ctx: Context, publicId: string, change: RecipientChange): Promise<RecipientView> {
  const fields = await recipientFieldsOf(ctx, change);
  return inTenant(ctx, async (tx) => {
    await lockRecipients(tx, ctx.tenantId);
    const row = await loadRecipient(tx, ctx, publicId, true);
    const person: Person = { ...personOf(row), ...fields };
    for (const [name, column] of Object.entries(CLEARED)) {
      if (change[name as keyof typeof CLEARED] === null) Object.assign(person, { [column]: null });
    }
    assertWhole(person);
    const [erased] = await erasedAmong(ctx, tx, [{ line: 1, fields }]);
    if (erased) throw invalidField(erased.field === 'external_id' ? 'externalId' : erased.field, 'erased', erased.detail);
    const list = (value: string | undefined): string[] => (value === undefined ? [] : [value]);
    const keys = { externalIds: list(fields.external_id), phones: list(fields.phone), emails: list(fields.email) };
    const named = await findByKeys(tx, ctx.tenantId, keys);
    assertFree(
      ctx,
      fields,
      named.filter((other) => other.id !== row.id),
    );
    await updatePeople(tx, ctx.tenantId, [person]);
    await appendAudit(tx, ctx, 'recipient.change', row.id, { fields: Object.keys(change).sort() });
    return viewRecipient(ctx, await loadRecipient(tx, ctx, publicId));
  });
}

const personOf = ({ id, external_id, name, phone, email, locale, time_zone, lat, lon, tags, skills, consent }: RecipientRow): Person => ({
  ...{ id, external_id, name, phone, email, locale },
  ...{ time_zone, lat, lon, tags, skills, consent },
});
