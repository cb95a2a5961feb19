import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { conflict } from '#platform/errors.ts';
import { appendAudit } from '#services/audit.ts';
import { type Deps, hostActor } from '#services/context.ts';
import { findUser, type FoundUser } from './find-user.ts';

export interface DisabledView {
  readonly tenantId: number;
  readonly changed: boolean;
  /** Sessions that ended with it. */
  readonly sessionsEnded: number;
  /** API keys of the person, not revoked and not expired, that stop with the person and work again with the person. */
  readonly keys: number;
}

/**
 * Lets a person sign in no longer, or again. Disabling ends the person's sessions at once and stops the API keys within the
 * seconds that an API process remembers a key; what the person wrote, scheduled and approved stays as it is. Repeating it is
 * harmless.
 * @throws Problem 404 where nobody has the address; 409 `last_administrator`
 */
export async function setDisabled(deps: Pick<Deps, 'db'>, email: string, disabled: boolean): Promise<DisabledView> {
  const person = await findUser(deps, email);
  const { tenantId, userId } = person;
  return deps.db.withTenant(tenantId, async (tx) => {
    if (disabled) await keepAnAdministrator(tx, person);
    const { numUpdatedRows } = await tx
      .updateTable('users')
      .set({ disabled_at: disabled ? sql<Date>`now()` : null })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', userId)
      .where('disabled_at', disabled ? 'is' : 'is not', null)
      .executeTakeFirst();
    const changed = numUpdatedRows > 0n;
    const ended = disabled
      ? (await tx.deleteFrom('sessions').where('tenant_id', '=', tenantId).where('user_id', '=', userId).executeTakeFirst()).numDeletedRows
      : 0n;
    const view = { sessionsEnded: Number(ended), keys: await liveKeys(tx, person) };
    if (changed) await appendAudit(tx, { tenantId, actor: hostActor }, disabled ? 'person.disable' : 'person.enable', userId, view);
    return { tenantId, changed, ...view };
  });
}

/** Without one nobody could make keys or change settings. Locks them all, so that two cannot be the last but one together. */
async function keepAnAdministrator(tx: Tx, { tenantId, userId }: FoundUser): Promise<void> {
  const administrators = await tx
    .selectFrom('users')
    .select('id')
    .where('tenant_id', '=', tenantId)
    .where('role', '=', 'admin')
    .where('disabled_at', 'is', null)
    .orderBy('id')
    .forUpdate()
    .execute();
  if (administrators.length === 1 && administrators[0]?.id === userId)
    throw conflict('last_administrator', 'This is the last administrator of the organisation who can sign in. Add or enable another one first.');
}

async function liveKeys(tx: Tx, { tenantId, userId }: FoundUser): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    SELECT count(*)::integer AS n FROM api_keys
    WHERE tenant_id = ${tenantId} AND user_id = ${userId} AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`.execute(tx);
  return rows[0]?.n ?? 0;
}
