import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '#db/server/embedded-postgres.ts';
import { freePort } from '#platform/free-port.ts';
import { migrateAll } from '#src/migrate.ts';
import { endChild } from './child.ts';
import { hasRedis, startRedisServer } from './redis-server.ts';
import { withClient } from './with-client.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Owner's URL of the test server; its database `muster_template` is migrated. */
    ownerUrl: string;
    /** URL of a real Redis, or '' where none is installed. */
    redisUrl: string;
  }
}

/** Starts one real Postgres and, where it is installed, one real Redis for a test run; both are ended and removed afterwards. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = resolve('.muster', `test-${process.pid}-${project.name}`);
  // Nothing here needs to outlive the run, so durability is given up for speed; the fault tests start servers of their own.
  const postgres = await startEmbeddedPostgres({
    folder,
    settings: { fsync: 'off', full_page_writes: 'off', max_connections: '300', shared_buffers: '128MB' },
  });
  await withClient(postgres.url, (client) => client.query('CREATE DATABASE muster_template'));
  const template = new URL(postgres.url);
  template.pathname = '/muster_template';
  await migrateAll(template.href);
  project.provide('ownerUrl', postgres.url);

  const redis = await startRedis(folder);
  project.provide('redisUrl', redis?.url ?? '');
  if (!redis) console.warn('SKIPPED ALOUD: no redis-server on this machine, so nothing runs against the Redis queue backend');
  return async () => {
    await redis?.stop();
    await postgres.stop();
    rmSync(postgres.folder, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  };
}

async function startRedis(folder: string): Promise<{ url: string; stop: () => Promise<unknown> } | undefined> {
  if (!hasRedis()) return undefined;
  const port = await freePort();
  const data = join(folder, 'redis');
  mkdirSync(data, { recursive: true });
  const child = await startRedisServer(port, data);
  return { url: `redis://127.0.0.1:${port}`, stop: () => endChild(child) };
}
