import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { conflict } from '#platform/errors.ts';
import { appendAudit } from '#services/audit.ts';
import { type Deps, hostActor } from '#services/context.ts';
import { findUser, type FoundUser } from './find-user.ts';

export interface DisabledView {
  readonly tenantId: number;
  readonly changed: boolean;
  /** Sessions that this ended. */
  readonly sessionsEnded: number;
  /** API keys of the person, neither revoked nor expired. They stop with the person, and work again with the person. */
  readonly keys: number;
}

/**
 * Lets a person sign in no longer, or again. Disabling ends their sessions at once, and stops their API keys within the
 * seconds that an API process remembers a key. What they wrote, scheduled and approved stays as it is. A repeat changes
 * nothing.
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
    const view = { sessionsEnded: disabled ? await endSessions(tx, person) : 0, keys: await liveKeys(tx, person) };
    if (changed) await appendAudit(tx, { tenantId, actor: hostActor }, disabled ? 'person.disable' : 'person.enable', userId, view);
    return { tenantId, changed, ...view };
  });
}

async function endSessions(tx: Tx, { tenantId, userId }: FoundUser): Promise<number> {
  const own = tx.deleteFrom('sessions').where('tenant_id', '=', tenantId).where('user_id', '=', userId);
  return Number((await own.executeTakeFirst()).numDeletedRows);
}

const LAST_ADMINISTRATOR = 'This is the last administrator of the organisation who can sign in. Add or enable another one first.';

/**
 * Without an administrator nobody could make keys or change settings. It locks all of them, so that two who are disabled at
 * the same time are not both taken for the last but one.
 */
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
  if (administrators.length === 1 && administrators[0]?.id === userId) throw conflict('last_administrator', LAST_ADMINISTRATOR);
}

async function liveKeys(tx: Tx, { tenantId, userId }: FoundUser): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    SELECT count(*)::integer AS n
    FROM api_keys
    WHERE tenant_id = ${tenantId}
      AND user_id = ${userId}
      AND revoked_at IS NULL
      AND (expires_at IS NULL OR expires_at > now())`.execute(tx);
  return rows[0]?.n ?? 0;
}
