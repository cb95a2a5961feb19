import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase } from '#testing/database.ts';
import { dumpSchema } from '#db/server/schema-dump.ts';

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let owner: pg.Client;
beforeAll(async () => {
  database = await openTestDatabase();
  owner = database.owner;
});
afterAll(() => database.drop());

const rows = async <T extends pg.QueryResultRow>(query: string): Promise<T[]> => (await owner.query<T>(query)).rows;

/** Runs `work` and takes every change back. */
async function undone<T>(work: () => Promise<T>): Promise<T> {
  await owner.query('BEGIN');
  try {
    return await work();
  } finally {
    await owner.query('ROLLBACK');
  }
}

/** Says what is wrong with the tables' row-level security; empty when all is well. */
async function securityFaults(): Promise<string[]> {
  const tables = await rows<{ name: string; enabled: boolean; forced: boolean; partition: boolean; policies: string[] }>(`
    SELECT c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced, c.relispartition AS partition,
      ARRAY(
        SELECT concat_ws(' ', p.policyname, p.cmd, array_to_string(p.roles, ','), coalesce(p.qual, '-'), coalesce(p.with_check, '-'))
        FROM pg_policies p
        WHERE p.schemaname = 'public'
          AND p.tablename = c.relname
        ORDER BY p.policyname
      ) AS policies
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace
      AND c.relkind IN ('r', 'p')
      AND EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
    ORDER BY c.relname`);
  const condition = '(tenant_id = ( SELECT app_tenant() AS app_tenant))';
  const expected = ['across ALL muster_cross true true', `tenant_isolation ALL public ${condition} ${condition}`];
  const faults = tables.length < 20 ? ['tables are missing'] : [];
  for (const table of tables) {
    if (!table.enabled) faults.push(`${table.name}: row-level security is off`);
    if (!table.forced) faults.push(`${table.name}: row-level security is not forced`);
    // A partition has no policies of its own. Read directly it shows nothing, and read through its parent it has the parent's.
    const policies = table.partition ? [] : expected;
    if (JSON.stringify(table.policies) !== JSON.stringify(policies)) faults.push(`${table.name}: policies ${table.policies.join('; ')}`);
  }
  return faults;
}

test('the dump in schemas/schema.sql is what the migrations make (npm run schema:dump writes it)', async () => {
  const file = readFileSync(new URL('../../schemas/schema.sql', import.meta.url), 'utf8');
  expect(await dumpSchema(owner)).toBe(file);
});

test.each([
  'ALTER TABLE waves ALTER COLUMN due_at DROP NOT NULL',
  'ALTER TABLE waves ALTER COLUMN due_at SET DEFAULT now()',
  'ALTER TABLE recipients ALTER COLUMN lat TYPE real',
  'ALTER TABLE users DROP CONSTRAINT users_role_check',
  'DROP INDEX batches_planned',
  'ALTER TABLE waves NO FORCE ROW LEVEL SECURITY',
  'ALTER POLICY tenant_isolation ON waves USING (true)',
  'GRANT DELETE ON audit_log TO muster_api',
  'GRANT SELECT (id_key) ON installation TO muster_cross',
  'ALTER FUNCTION message_tenant(bigint) RESET search_path',
  'ALTER FUNCTION message_tenant(bigint) OWNER TO CURRENT_USER',
  'GRANT EXECUTE ON FUNCTION find_user(text) TO PUBLIC',
  `ALTER TYPE channel ADD VALUE 'pigeon'`,
  'CREATE TRIGGER t BEFORE UPDATE ON waves FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
])('the dump notices: %s', async (change) => {
  const before = await dumpSchema(owner);
  await undone(async () => {
    await owner.query(change);
    expect(await dumpSchema(owner)).not.toBe(before);
  });
  expect(await dumpSchema(owner)).toBe(before);
});

test('every table with a tenant has row-level security, forced, with the two policies', async () => {
  expect(await securityFaults()).toEqual([]);
  // These faults are seeded, so that a passing check means something.
  for (const change of [
    'ALTER TABLE answers DISABLE ROW LEVEL SECURITY',
    'ALTER TABLE answers NO FORCE ROW LEVEL SECURITY',
    'DROP POLICY tenant_isolation ON answers',
    'ALTER POLICY across ON answers TO PUBLIC',
    'CREATE POLICY more ON answers USING (true)',
    'CREATE TABLE forgotten (tenant_id integer NOT NULL)',
  ])
    await undone(async () => {
      await owner.query(change);
      expect(await securityFaults(), change).toHaveLength(change.startsWith('CREATE TABLE') ? 3 : 1);
    });
});

test('a partition made later is protected like the first', async () => {
  await undone(async () => {
    await owner.query('SELECT ensure_delivery_partition(1000000)');
    expect(await securityFaults()).toEqual([]);
    await owner.query('SET LOCAL ROLE muster_api');
    await expect(owner.query('SELECT * FROM deliveries_999424')).rejects.toThrow(/permission denied/);
  });
});

test('only the installation, its incarnation and the list of migrations have no tenant', async () => {
  const names = await rows<{ name: string }>(`
    SELECT c.relname AS name
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace
      AND c.relkind IN ('r', 'p')
      AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
    ORDER BY 1`);
  expect(names.map((row) => row.name)).toEqual(['incarnation', 'installation', 'schema_migrations']);
});

test('there is no view: a view would run with the rights of its owner', async () => {
  expect(await rows(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')`)).toEqual([]);
});

test('application roles own nothing, cannot log in, and have no power over roles or row security', async () => {
  const owned = await rows(`
    SELECT c.relname AS name, r.rolname AS owner
    FROM pg_class c
    JOIN pg_roles r ON r.oid = c.relowner
    WHERE r.rolname IN ('muster_api', 'muster_worker', 'muster_cross')
    UNION ALL
    SELECT p.proname, r.rolname
    FROM pg_proc p
    JOIN pg_roles r ON r.oid = p.proowner
    WHERE r.rolname IN ('muster_api', 'muster_worker')
    UNION ALL
    SELECT t.typname, r.rolname
    FROM pg_type t
    JOIN pg_roles r ON r.oid = t.typowner
    WHERE r.rolname IN ('muster_api', 'muster_worker', 'muster_cross')`);
  expect(owned).toEqual([]);
  const roles = await rows(`
    SELECT rolname, rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication AS power
    FROM pg_roles
    WHERE rolname IN ('muster_api', 'muster_worker', 'muster_cross')
    ORDER BY 1`);
  expect(roles).toEqual(['muster_api', 'muster_cross', 'muster_worker'].map((rolname) => ({ rolname, power: false })));
  const members = await rows(`
    SELECT 1
    FROM pg_auth_members m
    WHERE m.member::regrole::text IN ('muster_api', 'muster_worker', 'muster_cross')`);
  expect(members).toEqual([]);
});

test('the application changes the schema nowhere and rewrites no history', async () => {
  for (const [role, statement] of [
    ['muster_api', 'CREATE TABLE mine (id integer)'],
    ['muster_worker', 'CREATE TABLE mine (id integer)'],
    ['muster_api', `UPDATE audit_log SET actor = 'nobody'`],
    ['muster_worker', 'DELETE FROM audit_log'],
    ['muster_api', 'TRUNCATE audit_log'],
    ['muster_api', `UPDATE answer_events SET key = 'no'`],
    ['muster_worker', 'DELETE FROM answer_events'],
    ['muster_api', `UPDATE installation SET id_key = ''`],
    ['muster_worker', 'UPDATE installation SET stopped_at = NULL'],
    ['muster_api', 'UPDATE incarnation SET beat = 0'],
    ['muster_api', 'ALTER TABLE waves DISABLE ROW LEVEL SECURITY'],
    ['muster_api', 'TRUNCATE deliveries'],
  ] as const)
    await undone(async () => {
      await owner.query(`SET LOCAL ROLE ${role}`);
      await expect(owner.query(statement), `${role}: ${statement}`).rejects.toThrow(/permission denied|must be owner/);
    });
});

test('functions that cross tenants pin their search path and are not open to everybody', async () => {
  const functions = await rows<{ name: string; config: string[] | null; owner: string; open: boolean }>(`
    SELECT p.proname AS name, p.proconfig AS config, CASE WHEN r.rolsuper THEN 'owner' ELSE r.rolname END AS owner,
      EXISTS (SELECT 1 FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g WHERE g.grantee = 0) AS open
    FROM pg_proc p
    JOIN pg_roles r ON r.oid = p.proowner
    WHERE p.pronamespace = 'public'::regnamespace
      AND p.prosecdef
    ORDER BY 1`);
  expect(functions.length).toBeGreaterThan(5);
  for (const f of functions) {
    expect(f.config, f.name).toContain('search_path=public, pg_temp');
    expect(f.open, f.name).toBe(false);
    expect(f.owner, f.name).toBe(f.name === 'ensure_delivery_partition' ? 'owner' : 'muster_cross');
  }
});

test('no function takes a temporary table for one of ours', async () => {
  const without = await rows<{ name: string }>(`
    SELECT p.proname AS name
    FROM pg_proc p
    CROSS JOIN LATERAL unnest(p.proconfig) AS c(setting)
    WHERE p.pronamespace = 'public'::regnamespace
      AND c.setting LIKE 'search_path=%'
      AND c.setting !~ ', pg_temp$'`);
  expect(without).toEqual([]);
  // The way in: a table of the attacker's own, called like ours. The setting that was there before lets it through.
  const foundWith = async (setting: string): Promise<number | null> => {
    let found: number | null = null;
    await undone(async () => {
      await owner.query(`ALTER FUNCTION find_session(bytea) SET search_path = ${setting}`);
      await owner.query('SET LOCAL ROLE muster_api');
      await owner.query('CREATE TEMP TABLE sessions AS SELECT * FROM public.sessions WITH NO DATA');
      await owner.query('GRANT ALL ON sessions TO muster_cross');
      await owner.query(`
        INSERT INTO sessions (id_hash, tenant_id, user_id, expires_at, last_seen_at)
        VALUES ('\\x01', 7, 7, now() + interval '1 hour', now())`);
      found = (await owner.query(`SELECT * FROM find_session('\\x01')`)).rowCount;
    });
    return found;
  };
  expect(await foundWith('public')).toBe(1);
  expect(await foundWith('public, pg_temp')).toBe(0);
});
