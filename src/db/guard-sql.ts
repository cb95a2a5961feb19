import { sql } from 'kysely';
import { DEFAULT_POLICY } from '#domain/policy.ts';

/**
 * Which send guard a launched message breaks, over aliases `m` (messages) and `w` (waves); NULL for none. The launch has
 * checked all of it: this holds where a row was changed since. Reads only rows that the mark reads anyway.
 */
export const brokenGuardSql = sql<string | null>`CASE
  WHEN m.approval_needed AND (m.approved_at IS NULL OR m.approved_by = m.created_by OR m.approved_by = ANY (m.changed_by)) THEN 'approval'
  WHEN m.approval_needed AND w.selects = 'all' AND w.planned > m.audience_count THEN 'audience'
  WHEN m.denies_drill THEN 'drill_text'
END`;

/** How many messages a person may be sent within an hour, over `m` and `t` (tenants); NULL for any number. What undoes harm is never held back. */
export const ceilingSql = sql`CASE WHEN m.class <> 'life' AND m.kind = 'original' THEN
  CASE WHEN t.policy ? 'hourlyCeiling' THEN (t.policy ->> 'hourlyCeiling')::int ELSE ${sql.lit(DEFAULT_POLICY.hourlyCeiling)} END END`;

/**
 * The tenant's other messages that made calls within the hour, over `m` and `c` (`c.ceiling`). NULL where they are fewer
 * than the ceiling: then nobody can have reached it, and nobody is looked at.
 */
export const recentSql = sql`CASE WHEN c.ceiling IS NOT NULL THEN (
  SELECT CASE WHEN count(*) >= c.ceiling THEN array_agg(o.id) END FROM messages o
  WHERE o.tenant_id = m.tenant_id AND o.launched_at IS NOT NULL AND COALESCE(o.completed_at, 'infinity') > now() - interval '1 hour' AND o.id <> m.id) END`;
