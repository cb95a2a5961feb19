import { hashApiKey, newApiKey } from '#platform/api-key.ts';
import { invalidField, notFound } from '#platform/errors.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant, type Scope, requireScope } from '#services/context.ts';

export interface ApiKeyView {
  id: string;
  name: string;
  mode: 'live' | 'test';
  scopes: string[];
  createdAt: string;
  lastUsedAt: string | null;
  revokedAt: string | null;
}

/**
 * The tenant's keys, the newest first, 200 at most.
 * @throws Problem 403 `scope_missing` without `admin`
 */
export async function listApiKeys(ctx: Context): Promise<ApiKeyView[]> {
  requireScope(ctx, 'admin');
  const rows = await inTenant(ctx, (tx) =>
    tx.selectFrom('api_keys').selectAll().where('tenant_id', '=', ctx.tenantId).orderBy('id', 'desc').limit(200).execute(),
  );
  return rows.map((row) => ({
    id: ctx.ids.encode('key', row.id),
    name: row.name,
    mode: row.mode,
    scopes: row.scopes,
    createdAt: row.created_at.toISOString(),
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
    revokedAt: row.revoked_at?.toISOString() ?? null,
  }));
}

/**
 * Makes a key that acts for the person who made it: a message it writes counts as written by that person.
 * @returns the key itself, which is shown once, since only its hash is kept
 * @throws Problem 403 `scope_missing` without `admin`, or without `operator` where the key is to have it; 422 that names
 *   `name` or `scopes`
 */
export async function createApiKey(
  ctx: Context,
  input: { name: string; mode: 'live' | 'test'; scopes: readonly Scope[] },
): Promise<{ id: string; key: string }> {
  requireScope(ctx, 'admin');
  // People give away only what they have themselves, and an administrator is not an operator.
  if (input.scopes.includes('operator')) requireScope(ctx, 'operator');
  const name = input.name.trim();
  if (name === '' || name.length > 80)
    throw invalidField('name', 'invalid', 'a name of 1 to 80 characters is needed, so that it is known later what the key is for');
  if (input.scopes.length === 0) throw invalidField('scopes', 'required', 'choose at least one thing that the key may do');
  const key = newApiKey(input.mode);
  return inTenant(ctx, async (tx) => {
    const { id } = await tx
      .insertInto('api_keys')
      .values({
        tenant_id: ctx.tenantId,
        name,
        key_hash: hashApiKey(key),
        mode: input.mode,
        scopes: [...input.scopes],
        user_id: ctx.actor.userId,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await appendAudit(tx, ctx, 'key.create', id, { mode: input.mode, scopes: [...input.scopes] });
    return { id: ctx.ids.encode('key', id), key };
  });
}

/**
 * Makes the key worthless, within the seconds that an API process remembers a key. A repeat changes nothing.
 * @throws Problem 403 `scope_missing` without `admin`; 404
 */
export async function revokeApiKey(ctx: Context, publicId: string): Promise<void> {
  requireScope(ctx, 'admin');
  const id = ctx.ids.decode('key', publicId);
  if (id === undefined) throw notFound('key');
  await inTenant(ctx, async (tx) => {
    const found = await tx
      .selectFrom('api_keys')
      .select('revoked_at')
      .where('tenant_id', '=', ctx.tenantId)
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (!found) throw notFound('key');
    if (found.revoked_at) return;
    await tx
      .updateTable('api_keys')
      .set({ revoked_at: new Date(ctx.clock.now()) })
      .where('tenant_id', '=', ctx.tenantId)
      .where('id', '=', id)
      .execute();
    await appendAudit(tx, ctx, 'key.revoke', id);
  });
}
