import { createECDH, randomBytes } from 'node:crypto';
import type { Channel } from '#schemas/delivery.ts';
import type { System, Tenant } from './system.ts';

/** Keys of one browser. */
export interface SubscriptionKeys {
  readonly p256dh: string;
  readonly auth: string;
}

/**
 * There are so many different keys that a contestant gains nothing by caching imported keys. One for each person would take
 * longer to make than to send to.
 */
const DIFFERENT_KEYS = 500;

export function browserKeys(): SubscriptionKeys[] {
  return Array.from({ length: DIFFERENT_KEYS }, () => {
    const browser = createECDH('prime256v1');
    browser.generateKeys();
    return { p256dh: browser.getPublicKey('base64url'), auth: randomBytes(16).toString('base64url') };
  });
}

export interface People {
  readonly count: number;
  readonly channel: Channel;
  /** Origin of the push endpoints. */
  readonly pushUrl?: string;
  /** So many of the people also carry the tag `first`, for smaller audiences out of the same table. */
  readonly first?: number;
}

/**
 * Writes people straight into the table, with consent to everything, and suppressions of other people beside them, so that
 * every check of the mark has something to look through.
 */
export async function seedPeople(system: System, tenant: Tenant, people: People): Promise<void> {
  const { channel, count } = people;
  await system.sql.query(
    `INSERT INTO recipients (tenant_id, external_id, name, phone, email, locale, tags, consent, push_count)
     SELECT $1::int, 'b' || n, 'Volunteer Number', CASE WHEN $3 THEN '+1' || (2000000000 + n) END, CASE WHEN $4 THEN 'b' || n || '@people.example' END, 'en',
       CASE WHEN n <= $6::int THEN '{all,first}' ELSE '{all}' END::text[], '{life,ops,bulk}', CASE WHEN $5 THEN 1 ELSE 0 END
     FROM generate_series(1, $2::int) n`,
    [tenant.id, count, channel === 'sms', channel === 'email', channel === 'push', people.first ?? 0],
  );
  if (channel === 'push') {
    const keys = browserKeys();
    await system.sql.query(
      `INSERT INTO push_subscriptions (tenant_id, recipient_id, endpoint, p256dh, auth)
       SELECT $1, r.id, $2 || '/push/' || md5(r.id::text), ($3::text[])[1 + r.id % $5::int], ($4::text[])[1 + r.id % $5::int] FROM recipients r WHERE r.tenant_id = $1`,
      [tenant.id, people.pushUrl ?? '', keys.map((key) => key.p256dh), keys.map((key) => key.auth), keys.length],
    );
  }
  await system.sql.query(
    `INSERT INTO suppressions (tenant_id, sender_id, address, reason, source)
     SELECT s.tenant_id, s.id, CASE WHEN s.channel = 'sms' THEN '+1' || (9000000000 + n) ELSE 'gone' || n || '@people.example' END, 'opted_out', 'bench'
     FROM senders s CROSS JOIN generate_series(1, 1000) n WHERE s.tenant_id = $1`,
    [tenant.id],
  );
  for (const table of ['recipients', 'push_subscriptions', 'suppressions']) await system.sql.query(`VACUUM (ANALYZE) ${table}`);
}

/** Gives the first `count` people a tag, for an audience of just so many. */
export async function tagPeople(system: System, tenant: Tenant, tag: string, count: number): Promise<void> {
  await system.sql.query(
    `UPDATE recipients SET tags = tags || $2::text WHERE tenant_id = $1 AND id <= (SELECT id FROM recipients WHERE tenant_id = $1 ORDER BY id OFFSET $3 LIMIT 1)`,
    [tenant.id, tag, count - 1],
  );
  await system.sql.query('VACUUM (ANALYZE) recipients');
}

export const SENDERS = {
  sms: { channel: 'sms', name: 'SMS', address: '+12025550100' },
  email: { channel: 'email', name: 'Mail', address: 'Muster <muster@bench.example>' },
  push: { channel: 'push', name: 'Push', address: '' },
} as const;
