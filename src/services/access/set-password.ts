import { Problem } from '#platform/errors.ts';
import { hashPassword } from '#platform/password.ts';
import { appendAudit } from '#services/audit.ts';
import { type Deps, hostActor } from '#services/context.ts';
import { findUser } from './find-user.ts';
import { passwordErrors } from './user-fields.ts';

/**
 * Gives a person another password and ends every session that was opened with the one before. API keys stay, since none was
 * made from a password. A disabled person stays disabled.
 * @throws Problem 404 where nobody has the address; 422 `password`
 */
export async function setPassword(
  deps: Pick<Deps, 'db'>,
  email: string,
  password: string,
): Promise<{ tenantId: number; sessionsEnded: number; disabled: boolean }> {
  const errors = passwordErrors(password);
  if (errors.length > 0) throw new Problem(422, 'invalid_person', 'Nothing was changed.', { errors });
  const { tenantId, userId } = await findUser(deps, email);
  const password_hash = await hashPassword(password);
  return deps.db.withTenant(tenantId, async (tx) => {
    // This comes first: a sign-in with the old password then either holds the row until its session can be seen here, or
    // finds the new password.
    const { disabled_at } = await tx
      .updateTable('users')
      .set({ password_hash })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', userId)
      .returning('disabled_at')
      .executeTakeFirstOrThrow();
    const sessions = tx.deleteFrom('sessions').where('tenant_id', '=', tenantId).where('user_id', '=', userId);
    const sessionsEnded = Number((await sessions.executeTakeFirst()).numDeletedRows);
    await appendAudit(tx, { tenantId, actor: hostActor }, 'person.password', userId, { sessionsEnded });
    return { tenantId, sessionsEnded, disabled: disabled_at !== null };
  });
}
