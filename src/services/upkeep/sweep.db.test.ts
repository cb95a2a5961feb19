import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { HANDLERS, sweep } from './sweep.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

test('there is a handler for exactly the kinds of work that the database names', async () => {
  const { rows } = await sql<{ text: string }>`SELECT pg_get_functiondef('due_work(integer)'::regprocedure) AS text`.execute(
    deps.db.across,
  );
  const named = [...(rows[0]?.text ?? '').matchAll(/\(SELECT '(\w+)'/g)].map(([, kind]) => kind);
  expect(new Set(named)).toEqual(new Set(Object.keys(HANDLERS)));
});

test('a kind that only newer processes know is left to them, and the rest of the round is done', async () => {
  const newer = await createTestDeps();
  const owner = new pg.Client({ connectionString: newer.databaseUrl });
  await owner.connect();
  await owner.query(`CREATE OR REPLACE FUNCTION due_work(p_limit integer) RETURNS TABLE(kind text, tenant_id integer, id bigint, lane message_class)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO 'public' AS $$
      SELECT 'of the future', 1, 1::bigint, 'ops'::message_class UNION ALL SELECT 'nudge', NULL, NULL, 'life'::message_class $$`);
  await owner.end();
  expect(await sweep(newer)).toEqual({ lanes: new Set(['life']), waves: [], inDoubt: 0 });
  await newer.close();
});
