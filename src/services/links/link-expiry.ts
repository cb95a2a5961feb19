import { sql } from 'kysely';

/** Links work until 72 hours after the message's end, and for 30 days at most. Over alias `m`. */
export const linkExpiresSql = sql<Date>`LEAST(m.expires_at + interval '72 hours', COALESCE(m.launched_at, m.created_at) + interval '30 days')`;
