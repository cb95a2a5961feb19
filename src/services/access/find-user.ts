import { sql } from 'kysely';
import { Problem } from '#platform/errors.ts';
import type { Deps } from '#services/context.ts';

export interface FoundUser {
  readonly tenantId: number;
  readonly userId: string;
}

/**
 * Finds the person who signs in with this address, in any case of its letters, also a disabled one.
 * @throws Problem 404 that names `email`
 */
export async function findUser(deps: Pick<Deps, 'db'>, email: string): Promise<FoundUser> {
  const { rows } = await sql<{ tenant_id: number; id: string }>`
    SELECT tenant_id, id
    FROM find_person(${email.trim()})`.execute(deps.db.across);
  if (rows[0]) return { tenantId: rows[0].tenant_id, userId: rows[0].id };
  throw new Problem(404, 'not_found', 'Nobody has this address.', {
    errors: [{ field: 'email', code: 'not_found', detail: 'nobody of any organisation has it' }],
  });
}
