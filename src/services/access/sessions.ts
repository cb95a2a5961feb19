import { sql } from 'kysely';
import type { UserRole } from '#schemas/delivery.ts';
import type { Actor, Deps, Scope } from '#services/context.ts';
import { hashSessionToken } from './sign-in.ts';

/** A person signed in to the console. */
export interface Session {
  readonly tenantId: number;
  readonly tenantName: string;
  readonly userId: string;
  readonly userName: string;
  readonly email: string;
  readonly role: UserRole;
  /** Whether they may stop and release the whole installation. */
  readonly operator: boolean;
  readonly csrfToken: string;
}

const SCOPES: Record<UserRole, readonly Scope[]> = {
  admin: ['read', 'write', 'send:life', 'send:ops', 'send:bulk', 'admin'],
  coordinator: ['read', 'write', 'send:life', 'send:ops', 'send:bulk'],
  viewer: ['read'],
};

/** What the person of this session may do, for the verbs and the audit log. */
export const sessionActor = (session: Session): Actor => ({
  label: `user:${session.userId}`,
  userId: session.userId,
  scopes: new Set([...SCOPES[session.role], ...(session.operator ? (['operator'] as const) : [])]),
  mode: 'live',
  asked: 'always',
});

/**
 * Finds the session of a cookie's token. Using it moves the time of its last use, at most once a minute, so that a busy page
 * does not write each time.
 * @returns undefined where there is none, it was not used for 30 minutes, is older than 12 hours, or its person was disabled
 */
export async function findSession(deps: Deps, token: string): Promise<Session | undefined> {
  if (!/^[A-Za-z0-9_-]{43}$/.test(token)) return undefined;
  const hash = hashSessionToken(token);
  const { rows } = await sql<{ tenant_id: number; user_id: string }>`SELECT * FROM find_session(${hash})`.execute(deps.db.across);
  const found = rows[0];
  if (!found) return undefined;
  return deps.db.withTenant(found.tenant_id, async (tx) => {
    await tx
      .updateTable('sessions')
      .set({ last_seen_at: sql<Date>`now()` })
      .where('id_hash', '=', hash)
      .where('last_seen_at', '<', sql<Date>`now() - interval '1 minute'`)
      .execute();
    const row = await tx
      .selectFrom('sessions')
      .innerJoin('users', (join) => join.onRef('users.tenant_id', '=', 'sessions.tenant_id').onRef('users.id', '=', 'sessions.user_id'))
      .innerJoin('tenants', 'tenants.tenant_id', 'sessions.tenant_id')
      .select(['users.id', 'users.name', 'users.email', 'users.role', 'users.operator', 'sessions.csrf_token', 'tenants.name as tenant'])
      .where('sessions.id_hash', '=', hash)
      .where('users.disabled_at', 'is', null)
      .executeTakeFirst();
    if (!row) return undefined;
    return {
      tenantId: found.tenant_id,
      tenantName: row.tenant,
      userId: row.id,
      userName: row.name,
      email: row.email,
      role: row.role,
      operator: row.operator,
      csrfToken: row.csrf_token,
    };
  });
}

/** Signs out, so that the token is worthless from here on. */
export async function endSession(deps: Deps, session: Session, token: string): Promise<void> {
  await deps.db.withTenant(session.tenantId, (tx) => tx.deleteFrom('sessions').where('id_hash', '=', hashSessionToken(token)).execute());
}
