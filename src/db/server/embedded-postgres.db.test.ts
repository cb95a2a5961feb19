import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withClient } from '#testing/with-client.ts';
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
    const { rows } = await withClient(server.url, (client) => client.query(`SELECT current_setting('port') AS port`));
    expect(rows).toEqual([{ port: String(port) }]);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
