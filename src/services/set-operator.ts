import { sql } from 'kysely';
import { Problem } from '#platform/errors.ts';
import { appendAudit } from './audit.ts';
import { type Deps, hostActor } from './context.ts';

/**
 * Lets a person stop and release the whole installation, or no longer. His sessions follow at the next request, the scope
 * `operator` of his keys within the seconds that an API process remembers a key. Repeating it is harmless.
 * @throws Problem 404 where nobody signs in with the address
 */
export async function setOperator(deps: Pick<Deps, 'db'>, email: string, operator: boolean): Promise<{ tenantId: number; changed: boolean }> {
  const { rows } = await sql<{ tenant_id: number; id: string }>`SELECT tenant_id, id FROM find_user(${email.trim()})`.execute(deps.db.across);
  const person = rows[0];
  if (!person)
    throw new Problem(404, 'not_found', 'Nobody signs in with this address.', {
      errors: [{ field: 'email', code: 'not_found', detail: 'nobody signs in with it' }],
    });
  const { tenant_id: tenantId, id } = person;
  return deps.db.withTenant(tenantId, async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('users')
      .set({ operator })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', id)
      .where('operator', '<>', operator)
      .executeTakeFirst();
    const changed = numUpdatedRows > 0n;
    if (changed) await appendAudit(tx, { tenantId, actor: hostActor }, operator ? 'operator.name' : 'operator.revoke', id);
    return { tenantId, changed };
  });
}
