import { sql } from 'kysely';
import { notFound, Problem } from '#platform/errors.ts';
import type { Deps } from '#services/context.ts';

export interface OrganisationView {
  readonly id: number;
  readonly name: string;
  readonly createdAt: string;
  readonly people: number;
  readonly senders: number;
  /** E-mail addresses of its people who may stop and release the whole installation. */
  readonly operators: readonly string[];
}

/**
 * Every organisation of the installation, the oldest first. It looks into one after the other, since no function of the
 * database shows the content of all.
 */
export async function listOrganisations(deps: Pick<Deps, 'db'>): Promise<OrganisationView[]> {
  const { rows } = await sql<{ id: number }>`SELECT tenant_ids() AS id`.execute(deps.db.across);
  const all: OrganisationView[] = [];
  for (const { id } of rows) {
    const found = await deps.db.withTenant(id, (tx) =>
      sql<{ name: string; created_at: Date; people: number; senders: number; operators: string[] }>`
        SELECT t.name, t.created_at, u.people, u.operators,
          (SELECT count(*)::float8 FROM senders s WHERE s.tenant_id = t.tenant_id) AS senders
        FROM tenants t
        CROSS JOIN LATERAL (
          SELECT count(*)::float8 AS people,
            COALESCE(array_agg(email ORDER BY id) FILTER (WHERE operator), '{}') AS operators
          FROM users
          WHERE tenant_id = t.tenant_id
            AND disabled_at IS NULL
        ) u
        WHERE t.tenant_id = ${id}`.execute(tx),
    );
    for (const { created_at, ...row } of found.rows) all.push({ id, ...row, createdAt: created_at.toISOString() });
  }
  return all;
}

/**
 * Finds the organisation that has this name, in any case of its letters, or else this id.
 * @throws Problem 404; 409 `name_not_unique` where settings gave two of them the same name
 */
export async function findOrganisation(deps: Pick<Deps, 'db'>, idOrName: string): Promise<OrganisationView> {
  const all = await listOrganisations(deps);
  const named = all.filter((one) => one.name.toLowerCase() === idOrName.trim().toLowerCase());
  const found = named.length > 0 ? named : all.filter((one) => String(one.id) === idOrName.trim());
  if (found.length > 1) {
    const ids = found.map((one) => one.id).join(', ');
    throw new Problem(409, 'name_not_unique', `Several organisations are called so: ${ids}. Give the id.`);
  }
  if (!found[0]) throw notFound('organisation');
  return found[0];
}
