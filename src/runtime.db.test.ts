import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { createTestDeps } from '#testing/deps.ts';
import { TEST_SECRET_KEYS } from '#testing/secrets.ts';
import { migrateAll } from './migrate.ts';
import { createRuntime } from './runtime.ts';

test('who may not own the queue’s tables is told that Redis is needed, and with Redis starts', async () => {
  const deps = await createTestDeps();
  const folder = mkdtempSync(join(tmpdir(), 'muster-runtime-'));
  const role = `queue_${randomBytes(4).toString('hex')}`;
  const owner = new pg.Client({ connectionString: deps.databaseUrl });
  await owner.connect();
  try {
    await migrateAll(deps.databaseUrl);
    await owner.query(`CREATE ROLE ${role} LOGIN PASSWORD 'trial' IN ROLE muster_api, muster_worker`);
    const url = new URL(deps.databaseUrl);
    url.username = role;
    url.password = 'trial';
    const start = async (databaseUrl: string, more: Record<string, string> = {}): Promise<string> => {
      const env = { DATABASE_URL: databaseUrl, SECRET_KEYS: TEST_SECRET_KEYS, LOG_LEVEL: 'silent', MUSTER_DATA: folder, ...more };
      const runtime = await createRuntime(env, 'worker');
      await runtime.close();
      return 'started';
    };
    await expect(start(url.href)).rejects.toMatchObject({
      problems: [expect.stringMatching(new RegExp(`^REDIS_URL: is required for the database user ${role}:`))],
    });
    expect(await start(url.href, { REDIS_URL: 'redis://127.0.0.1:1' })).toBe('started');
    expect(await start(deps.databaseUrl)).toBe('started');
  } finally {
    await owner.query(`DROP ROLE IF EXISTS ${role}`);
    await owner.end();
    await deps.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
