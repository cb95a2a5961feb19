import type { Tx } from '#db/database.ts';
import { notFound, Problem } from '#platform/errors.ts';
import type { RecipientView } from '#schemas/recipient.ts';
import type { Context } from '#services/context.ts';

/** Selects people of the tenant, with everything that is shown of them. */
export const selectRecipients = (tx: Tx, tenantId: number) =>
  tx
    .selectFrom('recipients as r')
    .select([
      'r.id',
      'r.external_id',
      'r.name',
      'r.phone',
      'r.email',
      'r.locale',
      'r.time_zone',
      'r.lat',
      'r.lon',
      'r.tags',
      'r.skills',
      'r.consent',
      'r.push_count',
      'r.phone_invalid_at',
      'r.email_invalid_at',
      'r.origin',
      'r.parent_id',
      'r.generation',
      'r.created_at',
      'r.updated_at',
      'r.erased_at',
    ])
    .where('r.tenant_id', '=', tenantId);

export type RecipientRow = Awaited<ReturnType<ReturnType<typeof selectRecipients>['executeTakeFirstOrThrow']>>;

export const viewRecipient = (ctx: Pick<Context, 'ids'>, row: RecipientRow): RecipientView => ({
  id: ctx.ids.encode('rcp', row.id),
  externalId: row.external_id,
  name: row.name,
  phone: row.phone,
  email: row.email,
  locale: row.locale,
  timeZone: row.time_zone,
  lat: row.lat,
  lon: row.lon,
  tags: row.tags,
  skills: row.skills,
  consent: row.consent,
  pushSubscriptions: row.push_count,
  phoneInvalidAt: row.phone_invalid_at?.toISOString() ?? null,
  emailInvalidAt: row.email_invalid_at?.toISOString() ?? null,
  origin: row.origin,
  parentId: row.parent_id === null ? null : ctx.ids.encode('rcp', row.parent_id),
  generation: row.generation,
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
});

/**
 * The row's number behind a public id.
 * @throws Problem 404 for anything else
 */
export function recipientIdOf(ctx: Pick<Context, 'ids'>, publicId: string): string {
  const id = ctx.ids.decode('rcp', publicId);
  if (id === undefined) throw notFound('recipient');
  return id;
}

/**
 * Reads one person, and locks the row when asked.
 * @throws Problem 404 for a person whom this tenant does not have; 410 `erased`
 */
export async function loadRecipient(tx: Tx, ctx: Context, publicId: string, lock = false): Promise<RecipientRow> {
  const query = selectRecipients(tx, ctx.tenantId).where('r.id', '=', recipientIdOf(ctx, publicId));
  const row = await (lock ? query.forUpdate() : query).executeTakeFirst();
  if (!row) throw notFound('recipient');
  if (row.erased_at !== null) throw new Problem(410, 'erased', 'This person was erased.');
  return row;
}
