import { sql } from 'kysely';
import { hashApiKey } from '#platform/api-key.ts';
import type { Actor, Deps, Scope } from '#services/context.ts';

const SCOPES: readonly string[] = ['read', 'write', 'send:life', 'send:ops', 'send:bulk', 'admin', 'operator'] satisfies Scope[];
const isScope = (text: string): text is Scope => SCOPES.includes(text);

export interface KeyHolder {
  readonly tenantId: number;
  readonly actor: Actor;
}

interface Row {
  tenant_id: number;
  id: string;
  mode: 'live' | 'test';
  scopes: string[];
  user_id: string | null;
}

/**
 * Finds whom an API key acts for.
 * @returns undefined for a key that is unknown, revoked, expired or a disabled person's
 */
export async function authenticateKey(deps: Pick<Deps, 'db'>, key: string): Promise<KeyHolder | undefined> {
  const { rows } = await sql<Row>`
    SELECT tenant_id, id, mode, scopes, user_id
    FROM find_api_key(${hashApiKey(key)})`.execute(deps.db.across);
  const row = rows[0];
  if (!row) return undefined;
  const scopes = new Set(row.scopes.filter(isScope));
  const actor: Actor = { label: `key:${row.id}`, userId: row.user_id, scopes, mode: row.mode, asked: 'by_policy' };
  return { tenantId: row.tenant_id, actor };
}
