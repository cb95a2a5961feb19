import { appendAudit } from '#services/audit.ts';
import { type Deps, hostActor } from '#services/context.ts';
import { findUser } from './find-user.ts';

interface OperatorView {
  readonly tenantId: number;
  readonly changed: boolean;
}

/**
 * Lets a person stop and release the whole installation, or no longer. Their sessions follow at the next request, the scope
 * `operator` of their keys within the seconds that an API process remembers a key. A repeat changes nothing.
 * @throws Problem 404 where nobody has the address
 */
export async function setOperator(deps: Pick<Deps, 'db'>, email: string, operator: boolean): Promise<OperatorView> {
  const { tenantId, userId } = await findUser(deps, email);
  return deps.db.withTenant(tenantId, async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('users')
      .set({ operator })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', userId)
      .where('operator', '<>', operator)
      .executeTakeFirst();
    const changed = numUpdatedRows > 0n;
    if (changed) await appendAudit(tx, { tenantId, actor: hostActor }, operator ? 'operator.name' : 'operator.revoke', userId);
    return { tenantId, changed };
  });
}
