import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase } from '#testing/database.ts';

// Two tenants have one row in every table. Then the database is broken in every way that has happened to others, and the
// probe below must see a leak, or see that nothing is shown at all (fail closed). The probe is what is tested.

const ONE = 1_000_001;
const TWO = 1_000_002;

/** Columns whose CHECK takes only certain words. */
const WORDS: Readonly<Record<string, string>> = {
  'deliveries.state': 'accepted',
  'users.role': 'viewer',
  'api_keys.mode': 'test',
  'suppressions.reason': 'manual',
  'waves.mode': 'first',
  'waves.selects': 'all',
  'tallies.kind': 'answer',
  'answers.way': 'page',
  'inbound_texts.outcome': 'unclear',
};

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let owner: pg.Client;
let tables: { name: string; columns: string; values: (tenant: number, n: number) => string }[];

interface Column {
  readonly name: string;
  readonly type: string;
  /** The first label, where the type is an enum. */
  readonly label: string | null;
}

/** A value for a column without a default: `n` tells rows apart and fits a smallint. */
const literal = (table: string, { name, type, label }: Column, tenant: number, n: number): string => {
  if (name === 'tenant_id') return String(tenant);
  const word = WORDS[`${table}.${name}`];
  if (word !== undefined) return `'${word}'`;
  if (type.endsWith('[]')) return `'{}'`;
  if (label !== null) return `'${label}'`;
  if (/^(integer|bigint|smallint|double precision)$/.test(type)) return String(n);
  const values: Record<string, string> = {
    text: `'x${n}'`,
    bytea: `'\\x${n}'`,
    jsonb: `'{}'`,
    boolean: 'false',
    date: 'current_date',
    'timestamp with time zone': 'now()',
  };
  const value = values[type];
  if (value === undefined) throw new Error(`no value for ${table}.${name} ${type}`);
  return value;
};

beforeAll(async () => {
  database = await openTestDatabase();
  owner = database.owner;
  const { rows } = await owner.query<{ name: string; columns: Column[] }>(`
    SELECT c.relname AS name,
      json_agg(
        json_build_object(
          'name', a.attname,
          'type', format_type(a.atttypid, a.atttypmod),
          'label', (SELECT e.enumlabel FROM pg_enum e WHERE e.enumtypid = a.atttypid ORDER BY e.enumsortorder LIMIT 1)
        )
        ORDER BY a.attnum
      ) FILTER (WHERE a.attname = 'tenant_id' OR (a.attnotnull AND NOT a.atthasdef AND a.attidentity = '')) AS columns
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace
      AND c.relkind IN ('r', 'p')
      AND NOT c.relispartition
    GROUP BY c.relname
    HAVING bool_or(a.attname = 'tenant_id')
    ORDER BY c.relname`);
  tables = rows.map(({ name, columns }) => ({
    name,
    columns: columns.map((column) => column.name).join(', '),
    values: (tenant, n) => columns.map((column) => literal(name, column, tenant, n)).join(', '),
  }));
  // Foreign keys are not what is tested here.
  await owner.query('SET session_replication_role = replica');
  for (const table of tables)
    for (const [tenant, n] of [
      [ONE, 11],
      [TWO, 22],
    ] as const)
      await owner.query(`INSERT INTO ${table.name} (${table.columns}) OVERRIDING SYSTEM VALUE VALUES (${table.values(tenant, n)})`);
});
afterAll(() => database.drop());

type Finding = 'sees another tenant' | 'changes another tenant' | 'writes into another tenant' | 'sees nothing of its own';

/** Finds what tenant ONE can do to `table` that it should not, or cannot do that it should. It runs inside a transaction. */
async function probe(table: (typeof tables)[number]): Promise<Finding[]> {
  const found: Finding[] = [];
  const read = await owner.query<{ tenant_id: number }>(`SELECT tenant_id FROM ${table.name}`);
  if (read.rows.some((row) => row.tenant_id !== ONE)) found.push('sees another tenant');
  if (!read.rows.some((row) => row.tenant_id === ONE)) found.push('sees nothing of its own');
  const attempt = async (statement: string): Promise<number> => {
    await owner.query('SAVEPOINT attempt');
    try {
      return (await owner.query(statement)).rowCount ?? 0;
    } catch {
      return 0;
    } finally {
      await owner.query('ROLLBACK TO SAVEPOINT attempt');
    }
  };
  if ((await attempt(`DELETE FROM ${table.name} WHERE tenant_id = ${TWO}`)) > 0) found.push('changes another tenant');
  if ((await attempt(`UPDATE ${table.name} SET tenant_id = tenant_id WHERE tenant_id = ${TWO}`)) > 0) found.push('changes another tenant');
  // The row has a key that no seeded row has, so that only the policy can refuse it.
  const values = table.values(table.name === 'tenants' ? TWO + 1 : TWO, 77);
  const insert = `INSERT INTO ${table.name} (${table.columns}) OVERRIDING SYSTEM VALUE VALUES (${values})`;
  if ((await attempt(insert)) > 0) found.push('writes into another tenant');
  return [...new Set(found)];
}

/** Applies `change` as the owner, probes as the application role, and takes everything back. */
async function probeAfter(change: string | undefined, table: (typeof tables)[number], tenant = ONE): Promise<Finding[]> {
  await owner.query('BEGIN');
  try {
    if (change !== undefined) await owner.query(change);
    await owner.query('SET LOCAL ROLE muster_api');
    await owner.query(`SELECT set_config('app.tenant', '${tenant === 0 ? '' : tenant}', true)`);
    return await probe(table);
  } finally {
    await owner.query('ROLLBACK');
  }
}

test('as it is, every table shows a tenant its own row and nothing of another', async () => {
  expect(tables.length).toBeGreaterThan(20);
  for (const table of tables) expect(await probeAfter(undefined, table), table.name).toEqual([]);
});

test('without a tenant nothing is shown and nothing can be written', async () => {
  for (const table of tables) expect(await probeAfter(undefined, table, 0), table.name).toEqual(['sees nothing of its own']);
});

test('a dropped policy fails closed: the table shows nothing', async () => {
  for (const table of tables)
    expect(await probeAfter(`DROP POLICY tenant_isolation ON ${table.name}`, table), table.name).toEqual(['sees nothing of its own']);
});

test('row-level security switched off is seen as a leak, table by table', async () => {
  for (const table of tables) {
    const found = await probeAfter(`ALTER TABLE ${table.name} DISABLE ROW LEVEL SECURITY`, table);
    expect(found, table.name).toContain('sees another tenant');
    expect(found, table.name).toContain('writes into another tenant');
  }
});

test('a policy that reads all, or that checks no writes, is seen as a leak, table by table', async () => {
  for (const table of tables) {
    expect(await probeAfter(`ALTER POLICY tenant_isolation ON ${table.name} USING (true)`, table), table.name).toContain(
      'sees another tenant',
    );
    expect(await probeAfter(`ALTER POLICY tenant_isolation ON ${table.name} WITH CHECK (true)`, table), table.name).toEqual([
      'writes into another tenant',
    ]);
    expect(await probeAfter(`ALTER POLICY across ON ${table.name} TO muster_api`, table), table.name).toContain('sees another tenant');
  }
});

test('an installation may connect as a login role that can become the application roles and nothing else', async () => {
  await owner.query(`CREATE ROLE muster_login_test LOGIN PASSWORD 'for this test' IN ROLE muster_api, muster_worker`);
  try {
    const url = new URL(database.url);
    url.username = 'muster_login_test';
    url.password = 'for this test';
    const client = new pg.Client({ connectionString: url.href, options: '-c role=muster_worker' });
    await client.connect();
    expect((await client.query('SELECT 1 FROM recipients')).rowCount).toBe(0);
    await expect(client.query('SET ROLE muster_cross')).rejects.toThrow(/permission denied/);
    await client.end();
  } finally {
    await owner.query('DROP ROLE muster_login_test');
  }
});
