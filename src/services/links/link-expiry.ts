import { sql } from 'kysely';

/** When the links of the message under alias `m` end: 72 hours after the message's own end, 30 days after its launch at the latest. */
export const linkExpiresSql = sql<Date>`LEAST(
  m.expires_at + interval '72 hours',
  COALESCE(m.launched_at, m.created_at) + interval '30 days')`;
