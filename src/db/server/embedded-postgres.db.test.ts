import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startEmbeddedPostgres } from './embedded-postgres.ts';

test('a port that somebody holds for a moment is tried again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-embedded-'));
  // As root, so that the database's user may enter it.
  chmodSync(folder, 0o755);
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  const starting = startEmbeddedPostgres({ folder, port });
  const said = (): string => (existsSync(join(folder, 'postgres.log')) ? readFileSync(join(folder, 'postgres.log'), 'utf8') : '');
  await expect.poll(said, { timeout: 20_000, interval: 20 }).toContain('could not bind');
  holder.close();
  const server = await starting;
  try {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    expect((await client.query(`SELECT current_setting('port') AS port`)).rows).toEqual([{ port: String(port) }]);
    await client.end();
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
