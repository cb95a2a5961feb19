import { sql } from 'kysely';
import type { Person } from '#domain/merge-recipients.ts';
import type { Tx } from './database.ts';

/**
 * One writer of people's addresses at a time in a tenant, until the transaction ends. Held for a batch (tens of
 * milliseconds); without it two imports of one list would race for the same unique addresses.
 */
export async function lockRecipients(tx: Tx, tenantId: number): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtext('recipients'), ${tenantId}::integer)`.execute(tx);
}

export interface RecipientKeys {
  readonly externalIds: readonly string[];
  readonly phones: readonly string[];
  /** Lower case. */
  readonly emails: readonly string[];
}

/**
 * Everybody whom one of the keys names. The laterals force one index look-up a key (2 us); left to itself the planner read
 * the whole tenant for each list of 2,000 keys (120 us a key at 200,000 people).
 */
export async function findByKeys(tx: Tx, tenantId: number, keys: RecipientKeys): Promise<Person[]> {
  const { rows } = await sql<Person>`
    WITH hit AS (
      SELECT x.id FROM unnest(${keys.externalIds}::text[]) k
        CROSS JOIN LATERAL (SELECT id FROM recipients WHERE tenant_id = ${tenantId} AND external_id = k LIMIT 1) x
      UNION SELECT x.id FROM unnest(${keys.phones}::text[]) k
        CROSS JOIN LATERAL (SELECT id FROM recipients WHERE tenant_id = ${tenantId} AND phone = k LIMIT 1) x
      UNION SELECT x.id FROM unnest(${keys.emails}::text[]) k
        CROSS JOIN LATERAL (SELECT id FROM recipients WHERE tenant_id = ${tenantId} AND email = k LIMIT 1) x)
    SELECT r.id::text AS id, r.external_id, r.name, r.phone, r.email, r.locale, r.time_zone, r.lat, r.lon, r.tags, r.skills, r.consent
    FROM hit CROSS JOIN LATERAL (SELECT * FROM recipients p WHERE p.tenant_id = ${tenantId} AND p.id = hit.id LIMIT 1) r`.execute(tx);
  return rows;
}

const PERSON_COLUMNS = sql`x(id bigint, external_id text, name text, phone text, email text, locale text, time_zone text,
  lat float8, lon float8, tags text[], skills text[], consent message_class[])`;

/** New people in one statement; the ids come in no particular order. One JSON parameter: cheaper to build than 11 arrays. */
export async function insertPeople(tx: Tx, tenantId: number, people: readonly Person[], origin: 'import' | 'api'): Promise<string[]> {
  if (people.length === 0) return [];
  const { rows } = await sql<{ id: string }>`
    INSERT INTO recipients (tenant_id, external_id, name, phone, email, locale, time_zone, lat, lon, tags, skills, consent, origin)
    SELECT ${tenantId}, x.external_id, x.name, x.phone, x.email, x.locale, x.time_zone, x.lat, x.lon, x.tags, x.skills, x.consent, ${origin}
    FROM json_to_recordset(${JSON.stringify(people)}::json) AS ${PERSON_COLUMNS}
    RETURNING id`.execute(tx);
  return rows.map((row) => row.id);
}

/** Writes people as they are now. A new address has not failed yet, so its mark goes. */
export async function updatePeople(tx: Tx, tenantId: number, people: readonly Person[], freed: readonly string[] = []): Promise<void> {
  if (people.length === 0) return;
  // Unique indexes are checked row by row: whoever gives an address away must have lost it before another takes it.
  if (freed.length > 0)
    await sql`UPDATE recipients SET external_id = NULL, phone = NULL, email = NULL WHERE tenant_id = ${tenantId} AND id = ANY(${freed}::bigint[])`.execute(tx);
  await sql`
    UPDATE recipients r SET external_id = x.external_id, name = x.name, phone = x.phone, email = x.email, locale = x.locale,
      time_zone = x.time_zone, lat = x.lat, lon = x.lon, tags = x.tags, skills = x.skills, consent = x.consent, updated_at = now(),
      phone_invalid_at = CASE WHEN r.phone IS NOT DISTINCT FROM x.phone THEN r.phone_invalid_at END,
      email_invalid_at = CASE WHEN r.email IS NOT DISTINCT FROM x.email THEN r.email_invalid_at END
    FROM json_to_recordset(${JSON.stringify(people)}::json) AS ${PERSON_COLUMNS}
    WHERE r.tenant_id = ${tenantId} AND r.id = x.id`.execute(tx);
}
