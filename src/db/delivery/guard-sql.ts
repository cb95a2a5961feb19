import { type RawBuilder, sql } from 'kysely';
import { DEFAULT_POLICY } from '#domain/message/policy.ts';

/** The person behind `user:<id>` or `key:<id>`, over alias `m` (messages); NULL for a key of nobody. */
const personSql = (label: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  CASE split_part(${label}, ':', 1)
    WHEN 'user' THEN split_part(${label}, ':', 2)
    WHEN 'key' THEN (
      SELECT k.user_id::text
      FROM api_keys k
      WHERE k.tenant_id = m.tenant_id AND k.id = split_part(${label}, ':', 2)::bigint
    )
  END`;

/** Whether the person who approved a message (alias `m`) has also written or changed it, be it through another of their keys. */
const ownApprovalSql = sql`EXISTS (
  SELECT 1 FROM unnest(m.created_by || m.changed_by) hand(label)
  WHERE hand.label = m.approved_by OR ${personSql(sql`hand.label`)} = ${personSql(sql`m.approved_by`)})`;

/**
 * Which send guard a launched message breaks, over aliases `m` (messages) and `w` (waves); NULL for none. The launch has
 * checked all of it, so this holds only where a row was changed since. It reads only rows that the mark reads anyway, and of a
 * message that needed an approval the keys of those who wrote and approved it.
 */
export const brokenGuardSql = sql<string | null>`CASE
  WHEN m.approval_needed AND (m.approved_at IS NULL OR ${ownApprovalSql}) THEN 'approval'
  WHEN m.approval_needed AND w.selects = 'all' AND w.planned > m.audience_count THEN 'audience'
  WHEN m.class = 'life' AND (m.expires_at IS NULL OR NOT m.says_all) THEN 'says'
  WHEN m.denies_drill THEN 'drill_text'
END`;

/**
 * How many messages a person may be sent within an hour, over `m` and `t` (tenants); NULL for any number. A message that undoes
 * harm (a correction, an all-clear) is never held back.
 */
export const ceilingSql = sql`CASE
  WHEN m.class = 'life' OR m.kind <> 'original' THEN NULL
  WHEN t.policy ? 'hourlyCeiling' THEN (t.policy ->> 'hourlyCeiling')::int
  ELSE ${sql.lit(DEFAULT_POLICY.hourlyCeiling)}
END`;

/**
 * The tenant's other messages that made calls within the hour, over `m` and `c` (`c.ceiling`). NULL where they are fewer
 * than the ceiling: then nobody can have reached it, and nobody is looked at.
 */
export const recentSql = sql`CASE WHEN c.ceiling IS NOT NULL THEN (
  SELECT CASE WHEN count(*) >= c.ceiling THEN array_agg(o.id) END
  FROM messages o
  WHERE o.tenant_id = m.tenant_id
    AND o.launched_at IS NOT NULL
    AND COALESCE(o.completed_at, 'infinity') > now() - interval '1 hour'
    AND o.id <> m.id
) END`;
