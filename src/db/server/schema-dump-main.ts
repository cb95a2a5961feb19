import { rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { migrate } from './migrate.ts';
import { dumpSchema } from './schema-dump.ts';

// `npm run schema:dump`: migrates an empty database of its own and writes what came out.
const folder = resolve('.muster', `schema-dump-${process.pid}`);
const postgres = await startEmbeddedPostgres({ folder, settings: { fsync: 'off' } });
try {
  await migrate(postgres.url);
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  writeFileSync(new URL('../../../schemas/schema.sql', import.meta.url), await dumpSchema(client));
  await client.end();
} finally {
  await postgres.stop();
  rmSync(postgres.folder, { recursive: true, force: true });
}
