import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRuntime } from '#src/runtime.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { TEST_SECRET_KEYS } from '#testing/secrets.ts';
import { startWorker } from './start.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const TABLES = ['idempotency_keys', 'share_visits', 'pending_joins', 'sessions'] as const;

test('a worker deletes what is kept for a time alone, and nothing younger', async () => {
  const { tenantId, userId } = await deps.tenant();
  const user = deps.ids.decode('usr', userId) ?? userId;
  const left = () =>
    deps.db.withTenant(tenantId, async (tx) => {
      const counts = TABLES.map((table) => sql`(SELECT count(*)::int FROM ${sql.table(table)}) AS ${sql.id(table)}`);
      const { rows } = await sql<Record<(typeof TABLES)[number], number>>`SELECT ${sql.join(counts)}`.execute(tx);
      return rows[0];
    });
  await deps.db.withTenant(tenantId, async (tx) => {
    for (const [name, age] of Object.entries({ young: '20 hours', old: '25 hours' }))
      await sql`INSERT INTO idempotency_keys (tenant_id, key, request_hash, created_at, locked_until)
        VALUES (${tenantId}, ${name}, '\\x00', now() - ${age}::interval, now())`.execute(tx);
    for (const days of [0, 1, 2]) await sql`INSERT INTO share_visits VALUES (${tenantId}, 1, 1, current_date - ${days}::int, '\\x00')`.execute(tx);
    for (const [code, age] of Object.entries({ young: '1 hour', old: '25 hours' }))
      await sql`INSERT INTO pending_joins (tenant_id, message_id, parent_id, channel, address, code, consent, expires_at)
        VALUES (${tenantId}, 1, 1, 'email', 'a@people.example', ${code}, '{ops}', now() - ${age}::interval)`.execute(tx);
    for (const [id, idle] of Object.entries({ '\\x01': '1 minute', '\\x02': '31 minutes' }))
      await sql`INSERT INTO sessions (id_hash, tenant_id, user_id, csrf_token, last_seen_at, expires_at)
        VALUES (${id}::bytea, ${tenantId}, ${user}::bigint, 'x', now() - ${idle}::interval, now() + interval '1 hour')`.execute(tx);
  });
  expect(await left()).toEqual({ idempotency_keys: 2, share_visits: 3, pending_joins: 2, sessions: 2 });
  const runtime = await createRuntime({ DATABASE_URL: deps.databaseUrl, SECRET_KEYS: TEST_SECRET_KEYS, LOG_LEVEL: 'silent' }, 'worker');
  const worker = await startWorker(runtime);
  await expect.poll(left, { timeout: 10_000 }).toEqual({ idempotency_keys: 1, share_visits: 2, pending_joins: 1, sessions: 1 });
  await worker.close();
  await runtime.close();
});
