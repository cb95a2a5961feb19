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

/** Whether the words of a drill say that it is none, also those on its buttons and the organisation's name; over `m` and `t`. */
const deniesDrillSql = sql`denies_drill(m.title, m.text || jsonb_build_object('', t.name) || (
  SELECT COALESCE(jsonb_object_agg('answer ' || o.n, o.option ->> 'label'), '{}')
  FROM jsonb_array_elements(m.answers) WITH ORDINALITY o(option, n)
), m.said)`;

/**
 * Which send guard a launched message breaks, over aliases `m` (messages), `t` (tenants) and `w` (waves); NULL for none. The launch has
 * checked all of it, so this holds only where a row was changed since. It reads only rows that the mark reads anyway, and of a
 * message that needed an approval the keys of those who wrote and approved it.
 */
export const brokenGuardSql = sql<string | null>`CASE
  WHEN m.approval_needed AND (m.approved_at IS NULL OR ${ownApprovalSql}) THEN 'approval'
  WHEN m.approval_needed AND w.selects = 'all' AND w.planned > m.audience_count THEN 'audience'
  WHEN m.class = 'life' AND (m.expires_at IS NULL OR NOT m.says_all) THEN 'says'
  WHEN m.drill AND (m.denies_drill OR ${deniesDrillSql}) THEN 'drill_text'
END`;

/**
 * How many messages a person may be sent within an hour, over `m`, `w` (waves) and `t` (tenants); NULL for any number. What
 * goes to those who may have had another message undoes harm and is never held back. The wave says so, not the message's kind:
 * that is a label, which stays when a draft is turned into something else.
 */
export const ceilingSql = sql`CASE WHEN m.class <> 'life' AND w.selects <> 'reached' THEN
  CASE WHEN t.policy ? 'hourlyCeiling' THEN (t.policy ->> 'hourlyCeiling')::int ELSE ${sql.lit(DEFAULT_POLICY.hourlyCeiling)} END END`;

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
