import type { UserRole } from '#schemas/delivery.ts';
import { type Context, inTenant } from '#services/context.ts';

export interface UserView {
  /** The audit log names the person by `user:` and this. */
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: UserRole;
  /** Whether they may stop and release the whole installation. */
  readonly operator: boolean;
  readonly createdAt: string;
  /** Since when the person can no longer sign in; null while they can. */
  readonly disabledAt: string | null;
}

/** The people who sign in to the console of an organisation, disabled ones too, the oldest first. */
export async function listUsers(ctx: Pick<Context, 'db' | 'tenantId'>): Promise<UserView[]> {
  const rows = await inTenant(ctx, (tx) =>
    tx
      .selectFrom('users')
      .select(['id', 'email', 'name', 'role', 'operator', 'created_at', 'disabled_at'])
      .where('tenant_id', '=', ctx.tenantId)
      .orderBy('id')
      .execute(),
  );
  return rows.map(({ created_at, disabled_at, ...row }) => ({
    ...row,
    createdAt: created_at.toISOString(),
    disabledAt: disabled_at?.toISOString() ?? null,
  }));
}
