import type pg from 'pg';
import { OPEN_POLICY } from '#domain/message/policy.ts';

/** People of the one organisation; their ids are 1 to this. All but the last hundred have a phone, those have mail alone. */
export const PEOPLE = 1_000;
export const WITH_PHONE = 900;

/** Ids of the messages. The first three are under way alike, each in its class. */
export const MESSAGES = { life: 1, ops: 2, bulk: 3, scheduled: 4, stopped: 5 } as const;

/** How it stands with the people of a message that is under way. From `unplanned` on nobody has planned them. */
export const GROUPS = {
  done: [1, 200],
  settled: [201, 250],
  /** Called, or about to be, by a worker that is gone. */
  inFlight: [251, 300],
  unmarked: [301, 400],
  settledToo: [401, 450],
  /** Refused for a moment. */
  waiting: [451, 480],
  /** In doubt. */
  doubtful: [481, 500],
  queued: [501, 600],
  unplanned: [601, PEOPLE],
} as const satisfies Record<string, readonly [number, number]>;

/** The people up to this id have answered the life message; the others are to be reminded by mail. */
export const ANSWERED = 10;

/**
 * Fills a fresh database as an installation leaves it when it is ended amid its work: every kind of row, three messages
 * half sent, one about to start, one stopped. Written for the schema of 0001, so that it fits every later level too: a new
 * migration that makes this impossible makes it impossible for the processes of the version before as well.
 *
 * @param called false: as it is before 0002, which makes the place for deliveries, so nobody was called yet
 */
export async function fillDatabase(client: pg.Client, called: boolean): Promise<void> {
  await client.query('BEGIN');
  await client.query(`INSERT INTO tenants (name, policy, time_zone) VALUES ('Harbour', '${JSON.stringify(OPEN_POLICY)}', 'Europe/London')`);
  await client.query(ORGANISATION);
  await client.query(MESSAGE_ROWS);
  await client.query(UNDER_WAY);
  await client.query(STOPPED);
  if (called) await client.query(CALLED);
  await client.query(COUNTED);
  await client.query('COMMIT');
}

const ORGANISATION = `
INSERT INTO users (tenant_id, email, name, password_hash, role) VALUES (1, 'admin@example.test', 'Admin', 'none', 'admin');
INSERT INTO api_keys (tenant_id, name, key_hash, mode, scopes, user_id) VALUES (1, 'key', '\\x00', 'live', '{read,write}', 1);
INSERT INTO senders (tenant_id, channel, name, address) VALUES (1, 'sms', 'SMS', '+12025550100'), (1, 'email', 'Mail', 'Muster <muster@example.test>');
INSERT INTO recipients (tenant_id, external_id, name, phone, email, tags, consent)
  SELECT 1, 'p' || n, 'Person ' || n, CASE WHEN n <= ${WITH_PHONE} THEN '+1202' || (3000000 + n) END, 'p' || n || '@example.test', '{north}', '{life,ops,bulk}'
  FROM generate_series(1, ${PEOPLE}) n;
INSERT INTO push_subscriptions (tenant_id, recipient_id, endpoint, p256dh, auth) VALUES (1, 1, 'https://push.example.test/1', 'p', 'a');
INSERT INTO erasures (tenant_id, address_hash) VALUES (1, '\\x01');
INSERT INTO imports (tenant_id, imported_by, created, updated, unchanged, merged, rejected, erased, rejected_rows, acknowledged_at)
  VALUES (1, 'user:1', ${PEOPLE}, 0, 0, 0, 1, 0, '[{"line": 2, "field": "phone", "code": "bad_phone"}]', now());
INSERT INTO audit_log (tenant_id, seq, actor, action, object, prev_hash, hash) VALUES (1, 1, 'user:1', 'message.launch', '1', '\\x00', '\\x01');
INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, body, locked_until) VALUES (1, 'k', '\\x00', 201, '{}', now());`;

const hashOf = (from: number, to: number): string => `(SELECT bit_xor(hashint8extended(n, 0)) FROM generate_series(${from}, ${to}) n)`;
const audience = `${PEOPLE}, ${hashOf(1, PEOPLE)}, ${PEOPLE}`;

const MESSAGE_ROWS = `
INSERT INTO messages (tenant_id, class, state, text, said, fallback_locale, answers, audience, channels, audience_count, audience_hash, audience_max_id,
  frozen_count, frozen_hash, mark, expires_at, created_by, launched_at, launched_by, first_call_at)
  SELECT 1, class::message_class, 'live', '{"en": "Water off"}', '{"en": {"who": "All", "where": "Here", "instruction": "Fetch water", "issuer": "Harbour"}}', 'en',
    '[{"key": "yes", "label": "Yes"}]', '{"all": true}', '["sms", "email"]', ${audience}, 600, ${hashOf(1, 600)}, 'AB',
    now() + interval '1 hour', 'user:1', now() - interval '1 minute', 'user:1', now() - interval '1 minute'
  FROM unnest('{life,ops,bulk}'::text[]) WITH ORDINALITY c(class, n) ORDER BY n;
INSERT INTO messages (tenant_id, class, state, text, fallback_locale, audience, channels, audience_count, audience_hash, audience_max_id, start_at, created_by, launched_by)
  VALUES (1, 'ops', 'scheduled', '{"en": "Later"}', 'en', '{"all": true}', '["sms", "email"]', ${audience}, now() - interval '1 second', 'user:1', 'user:1');
INSERT INTO messages (tenant_id, class, state, text, fallback_locale, audience, channels, audience_count, audience_hash, audience_max_id,
  frozen_count, frozen_hash, created_by, launched_at, launched_by, stopped_at, stopped_by)
  VALUES (1, 'bulk', 'stopped', '{"en": "Doors open"}', 'en', '{"all": true}', '["sms", "email"]', ${audience}, ${PEOPLE}, ${hashOf(1, PEOPLE)},
    'user:1', now() - interval '1 minute', 'user:1', now(), 'user:1');`;

/** Sender 1 is for SMS, 2 for mail. */
const batch = (message: string, [from, to]: readonly [number, number], channel: 'sms' | 'email' = 'sms'): string =>
  `SELECT 1, ${message}, 0, m.class, '${channel}'::channel, ${channel === 'sms' ? 1 : 2}, ${from}, ${to}, ARRAY(SELECT n FROM generate_series(${from}::bigint, ${to}) n)`;
const between = (first: readonly [number, number], last: readonly [number, number]): readonly [number, number] => [first[0], last[1]];

const BATCHES = 'INSERT INTO batches (tenant_id, message_id, wave, lane, channel, sender_id, from_id, to_id, ids)';
const CLAIMED = between(GROUPS.settled, GROUPS.unmarked);
const MARKED = between(GROUPS.settledToo, GROUPS.doubtful);

const UNDER_WAY = `
INSERT INTO waves (tenant_id, message_id, ordinal, channels, mode, selects, due_at, state, cursor_id, planned)
  SELECT 1, m.id, 0, '{sms,email}', 'first', 'all', now() - interval '1 minute', 'planning', 600, 600 FROM messages m WHERE m.state = 'live';
INSERT INTO waves (tenant_id, message_id, ordinal, channels, mode, selects, due_at)
  VALUES (1, ${MESSAGES.life}, 1, '{email}', 'first', 'not_answered', now() + interval '1 hour');
${[GROUPS.done, CLAIMED, MARKED, GROUPS.queued].map((group) => `${BATCHES} ${batch('m.id', group)} FROM messages m WHERE m.state = 'live' ORDER BY m.id;`).join('\n')}
UPDATE batches SET state = 'claimed', fence = 1, claimed_by = 'a worker that is gone', lease_until = now() - interval '1 second' WHERE from_id = ${CLAIMED[0]};
INSERT INTO answers (message_id, recipient_id, tenant_id, first_key, first_at, key, answered_at, way, note)
  SELECT ${MESSAGES.life}, n, 1, 'yes', now(), 'yes', now(), 'page', 'I bring a boat' FROM generate_series(1, ${ANSWERED}) n;
INSERT INTO answer_events (tenant_id, message_id, recipient_id, key, way) SELECT 1, ${MESSAGES.life}, n, 'yes', 'page' FROM generate_series(1, ${ANSWERED}) n;
INSERT INTO tallies (message_id, kind, key, slot, tenant_id, n) VALUES (${MESSAGES.life}, 'answer', 'yes', 0, 1, ${ANSWERED});
INSERT INTO shares (tenant_id, message_id, parent_id, generation, visits) VALUES (1, ${MESSAGES.ops}, 1, 0, 1);
INSERT INTO share_visits (tenant_id, message_id, parent_id, day, visitor) VALUES (1, ${MESSAGES.ops}, 1, current_date, '\\x01');
INSERT INTO inbound_texts (tenant_id, provider_id, sender_id, from_address, recipient_id, message_id, body, outcome, needs_human)
  VALUES (1, 'SM1', 1, '+12023000001', 1, ${MESSAGES.ops}, 'Which harbour?', 'unclear', true);`;

const STOPPED = `
INSERT INTO waves (tenant_id, message_id, ordinal, channels, mode, selects, due_at, state, cursor_id, planned, planned_at)
  VALUES (1, ${MESSAGES.stopped}, 0, '{sms,email}', 'first', 'all', now(), 'planned', ${PEOPLE}, ${PEOPLE}, now());
${[GROUPS.done, [201, WITH_PHONE] as const].map((group) => `${BATCHES} ${batch('m.id', group)} FROM messages m WHERE m.id = ${MESSAGES.stopped};`).join('\n')}
${BATCHES} ${batch('m.id', [WITH_PHONE + 1, PEOPLE], 'email')} FROM messages m WHERE m.id = ${MESSAGES.stopped};`;

const delivery = (state: string, [from, to]: readonly [number, number], columns: string): string => `
INSERT INTO deliveries (message_id, recipient_id, channel, wave, tenant_id, sender_id, batch_id, fence, marked_at, state, attempts, settled_at, next_at, provider_id, code, units)
  SELECT b.message_id, n, 'sms', 0, 1, 1, b.id, 1, now() - interval '1 minute', '${state}', ${columns}
  FROM generate_series(${from}, ${to}) n JOIN batches b ON n BETWEEN b.from_id AND b.to_id JOIN messages m ON m.id = b.message_id
  WHERE m.state = 'live' OR (m.state = 'stopped' AND ${to} <= ${GROUPS.done[1]});`;

const ACCEPTED = `1, now(), NULL, 'SM' || b.message_id || '-' || n, NULL, 1`;

const CALLED = `
${delivery('accepted', GROUPS.done, ACCEPTED)}
${delivery('accepted', GROUPS.settled, ACCEPTED)}
${delivery('attempting', GROUPS.inFlight, `1, NULL, NULL, NULL, NULL, 0`)}
${delivery('accepted', GROUPS.settledToo, ACCEPTED)}
${delivery('pending', GROUPS.waiting, `0, now(), now() + interval '1 minute', NULL, '20429', 0`)}
${delivery('unknown', GROUPS.doubtful, `1, now(), now() + interval '1 minute', NULL, 'DEADLINE', 0`)}
UPDATE batches SET fence = 1, marked = cardinality(ids), state = 'done' WHERE from_id = ${GROUPS.done[0]};
UPDATE batches SET marked = 100 WHERE state = 'claimed';
UPDATE batches SET fence = 1, marked = cardinality(ids), due_at = now() + interval '1 minute' WHERE from_id = ${MARKED[0]};`;

const STATES = ['attempting', 'accepted', 'unknown'];

/** Every person who is planned is counted once: by the state of the row, or as pending. */
const COUNTED = `
INSERT INTO delivery_counts (message_id, wave, channel, slot, tenant_id, pending, ${STATES.join(', ')}, units)
  SELECT b.message_id, 0, b.channel, 0, 1, sum(cardinality(b.ids) - b.marked) + COALESCE(sum(d.pending), 0), ${STATES.map((state) => `COALESCE(sum(d.${state}), 0)`).join(', ')}, COALESCE(sum(d.units), 0)
  FROM batches b LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'pending') AS pending, ${STATES.map((state) => `count(*) FILTER (WHERE state = '${state}') AS ${state}`).join(', ')}, sum(x.units) AS units
    FROM deliveries x WHERE x.batch_id = b.id) d ON true
  GROUP BY b.message_id, b.channel;`;
