import { readdirSync, readFileSync } from 'node:fs';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase } from '#testing/database.ts';
import {
  CHECKED_WORDS,
  type ColumnFacts,
  compareTables,
  ENUMS,
  kindOfPostgres,
  readColumn,
  readDeclarations,
  type Tables,
} from '#testing/table-types.ts';

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let owner: pg.Client;
beforeAll(async () => {
  database = await openTestDatabase();
  owner = database.owner;
});
afterAll(() => database.drop());

const folder = new URL('../../schemas/', import.meta.url);
const declarations = readdirSync(folder)
  .filter((name) => /^database.*\.ts$/.test(name))
  .map((name) => readFileSync(new URL(name, folder), 'utf8'))
  .join('\n');

async function readCatalogue(): Promise<Tables> {
  const { rows } = await owner.query<{ table: string; column: string; type: string; nullable: boolean; optional: boolean }>(`
    SELECT c.relname AS "table", a.attname AS "column", format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
      NOT a.attnotnull OR a.atthasdef OR a.attidentity <> '' AS optional
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace
      AND c.relkind IN ('r', 'p')
      AND NOT c.relispartition
      AND c.relname <> 'schema_migrations'`);
  const tables: Record<string, Record<string, ColumnFacts>> = {};
  for (const row of rows)
    (tables[row.table] ??= {})[row.column] = { kind: kindOfPostgres(row.type), nullable: row.nullable, optional: row.optional };
  return tables;
}

test('the types in schemas/database.ts are the columns of the database', async () => {
  const declared = readDeclarations(declarations);
  expect(Object.keys(declared).length).toBeGreaterThan(20);
  expect(compareTables(declared, await readCatalogue())).toEqual([]);
});

test.each([
  ['ALTER TABLE recipients ADD COLUMN shoe_size integer', 'recipients.shoe_size: only in the database'],
  ['ALTER TABLE recipients DROP COLUMN lat', 'recipients.lat: only in the types'],
  ['ALTER TABLE recipients ALTER COLUMN lat SET NOT NULL', 'recipients.lat: may not be NULL in the database'],
  ['ALTER TABLE waves ALTER COLUMN state DROP DEFAULT', 'waves.state: must be given on INSERT'],
  ['ALTER TABLE messages ALTER COLUMN mark TYPE bytea USING NULL', 'messages.mark: text in the types, bytes in the database'],
  ['DROP TABLE erasures', 'erasures: only in the types'],
  ['ALTER TABLE batches ALTER COLUMN fence TYPE bigint', 'batches.fence: number in the types, id in the database'],
])('the comparison notices: %s', async (change, difference) => {
  await owner.query('BEGIN');
  if (change.includes('mark')) await owner.query('ALTER TABLE messages ALTER COLUMN mark DROP DEFAULT');
  await owner.query(change);
  const found = compareTables(readDeclarations(declarations), await readCatalogue());
  await owner.query('ROLLBACK');
  expect(found).toContain(difference);
});

test('type expressions are read as Kysely means them', () => {
  expect(readColumn('string | null')).toEqual({ kind: 'text', nullable: true, optional: true });
  expect(readColumn('Generated<MessageClass[]>')).toEqual({ kind: 'message_class[]', nullable: false, optional: true });
  expect(readColumn(`'a' | 'b'`)).toEqual({ kind: 'text', nullable: false, optional: false });
  expect(readColumn('Json<Record<string, string>>')).toEqual({ kind: 'json', nullable: false, optional: false });
  expect(readColumn('ColumnType<unknown, string | null | undefined, string | null>')).toEqual({
    kind: 'json',
    nullable: true,
    optional: true,
  });
  expect(readColumn('GeneratedAlways<Date>')).toEqual({ kind: 'time', nullable: false, optional: true });
});

test('the enums and checked words of the database are those of the code', async () => {
  const { rows } = await owner.query<{ name: string; labels: string[] }>(`
    SELECT t.typname AS name, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
    FROM pg_type t
    JOIN pg_enum e ON e.enumtypid = t.oid
    WHERE t.typnamespace = 'public'::regnamespace
    GROUP BY t.typname`);
  // Channels are added at the end of their type, wherever they stand among the others.
  const sorted = (name: string, words: readonly string[]) => [name, name === 'channel' ? words.toSorted() : [...words]] as const;
  expect(Object.fromEntries(rows.map((row) => sorted(row.name, row.labels)))).toEqual(
    Object.fromEntries(Object.entries(ENUMS).map(([name, words]) => sorted(name, words))),
  );
  for (const [constraint, words] of Object.entries(CHECKED_WORDS)) {
    const { rows: found } = await owner.query<{ text: string }>(
      'SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conname = $1',
      [constraint],
    );
    expect(
      [...(found[0]?.text ?? '').matchAll(/'([^']+)'/g)].map((m) => m[1]),
      constraint,
    ).toEqual([...words]);
  }
});
