import { findByKeys, insertPeople, lockRecipients } from '#db/recipient-sql.ts';
import type { Person } from '#domain/recipients/merge-recipients.ts';
import { invalidField } from '#platform/errors.ts';
import type { RecipientInput, RecipientView } from '#schemas/recipient.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant } from '#services/context.ts';
import { erasedAmong } from './erasures.ts';
import { assertFree, assertWhole, recipientFieldsOf } from './recipient-fields-of.ts';
import { loadRecipient, viewRecipient } from './recipient-view.ts';

/**
 * Adds one person.
 * @throws Problem 422 naming the fields (`erased` where the person asked to be erased); 409 `address_taken` with `recipientId`
 */
export async function createRecipient(ctx: Context, input: RecipientInput): Promise<RecipientView> {
  const fields = await recipientFieldsOf(ctx, input);
  const person: Person = {
    ...{ id: null, external_id: null, name: null, phone: null, email: null, locale: null, time_zone: null, lat: null, lon: null },
    ...{ tags: [], skills: [], consent: null },
    ...fields,
  };
  assertWhole(person);
  return inTenant(ctx, async (tx) => {
    await lockRecipients(tx, ctx.tenantId);
    const [erased] = await erasedAmong(ctx, tx, [{ line: 1, fields }]);
    if (erased) throw invalidField(erased.field === 'external_id' ? 'externalId' : erased.field, 'erased', erased.detail);
    const keys = { externalIds: list(fields.external_id), phones: list(fields.phone), emails: list(fields.email) };
    assertFree(ctx, fields, await findByKeys(tx, ctx.tenantId, keys));
    const [id] = await insertPeople(tx, ctx.tenantId, [person], 'api');
    if (id === undefined) throw new Error('an inserted person has an id');
    await appendAudit(tx, ctx, 'recipient.create', id);
    const view = viewRecipient(ctx, await loadRecipient(tx, ctx, ctx.ids.encode('rcp', id)));
    await ctx.idempotency?.complete(tx, 201, view);
    return view;
  });
}

const list = (value: string | undefined): string[] => (value === undefined ? [] : [value]);
