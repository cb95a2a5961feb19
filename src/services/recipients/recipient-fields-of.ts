import { RECIPIENT_COLUMNS, readRecipient, type RawFields, type RecipientFields } from '#domain/recipients/recipient-fields.ts';
import { Problem } from '#platform/errors.ts';
import type { RecipientChange } from '#schemas/recipient.ts';
import { type Context, inTenant } from '#services/context.ts';
import { countryOf } from './country-of.ts';

const API_NAME: Readonly<Record<string, keyof RecipientChange>> = { external_id: 'externalId', time_zone: 'timeZone' };
const apiName = (column: string): keyof RecipientChange => API_NAME[column] ?? (column as keyof RecipientChange);

/**
 * Reads the API's fields by the rules of the import.
 * @throws Problem 422 with every wrong field under its API name
 */
export async function recipientFieldsOf(ctx: Context, input: RecipientChange): Promise<RecipientFields> {
  const raw: RawFields = Object.fromEntries(RECIPIENT_COLUMNS.map((column) => [column, input[apiName(column)] ?? undefined]));
  const { fields, errors } = readRecipient(raw, await inTenant(ctx, (tx) => countryOf(tx, ctx.tenantId)));
  // Whether a change of lat alone is complete is judged later, together with the lat and lon that are stored.
  const wrong = errors.filter((error) => error.code !== 'place_incomplete').map((error) => ({ ...error, field: apiName(error.field) }));
  if (wrong.length > 0) throw new Problem(422, 'invalid_recipient', wrong.map((error) => error.detail).join('; '), { errors: wrong });
  return fields;
}

interface Described {
  readonly external_id: string | null;
  readonly phone: string | null;
  readonly email: string | null;
  readonly lat: number | null;
  readonly lon: number | null;
}

/** @throws Problem 422 `place_incomplete` for half a place; 422 `no_identity` where nothing would name the person */
export function assertWhole(person: Described): void {
  if ((person.lat === null) !== (person.lon === null)) {
    const field = person.lat === null ? 'lat' : 'lon';
    throw new Problem(422, 'place_incomplete', 'lat and lon are needed together.', {
      errors: [{ field, code: 'place_incomplete', detail: 'lat and lon are needed together' }],
    });
  }
  if (person.external_id !== null || person.phone !== null || person.email !== null) return;
  const detail = 'a person needs at least one of externalId, phone and email';
  const errors = ['externalId', 'phone', 'email'].map((field) => ({ field, code: 'no_identity', detail }));
  throw new Problem(422, 'no_identity', detail, { errors });
}

/** @throws Problem 409 `address_taken` naming the fields that belong to somebody else already, with that person's `recipientId` */
export function assertFree(
  ctx: Context,
  fields: RecipientFields,
  others: readonly { id: string | null; external_id: string | null; phone: string | null; email: string | null }[],
): void {
  const errors = others.flatMap((other) =>
    (['external_id', 'phone', 'email'] as const)
      .filter((key) => fields[key] !== undefined && fields[key] === other[key])
      .map((key) => ({ field: apiName(key), code: 'address_taken', detail: `belongs to ${ctx.ids.encode('rcp', other.id ?? 0)}` })),
  );
  if (errors.length > 0)
    throw new Problem(409, 'address_taken', 'Somebody else already has this address or external id.', {
      errors,
      extra: { recipientId: ctx.ids.encode('rcp', others[0]?.id ?? 0) },
    });
}
