import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '#db/server/embedded-postgres.ts';
import { migrateAll } from '#src/migrate.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Owner's URL of the test server; its database `muster_template` is migrated. */
    ownerUrl: string;
    /** URL of a real Redis, or '' where none is installed. */
    redisUrl: string;
  }
}

const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address ? address.port : 0));
    });
  });

/** One real Postgres and, where it is installed, one real Redis for a test run; both are ended and removed afterwards. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = resolve('.muster', `test-${process.pid}-${project.name}`);
  // Nothing here must outlive the run, so durability is traded for speed; the fault tests start servers of their own.
  const postgres = await startEmbeddedPostgres({
    folder,
    settings: { fsync: 'off', full_page_writes: 'off', max_connections: '300', shared_buffers: '128MB' },
  });
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query('CREATE DATABASE muster_template');
  await client.end();
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

async function startRedis(folder: string): Promise<{ url: string; stop: () => Promise<void> } | undefined> {
  if (spawnSync('redis-server', ['--version']).status !== 0) return undefined;
  const port = await freePort();
  const data = join(folder, 'redis');
  mkdirSync(data, { recursive: true });
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--dir', data, '--save', '', '--appendonly', 'no'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((done, fail) => {
    child.stdout.on('data', (chunk: Buffer) => chunk.includes('Ready to accept connections') && done());
    child.once('exit', (code) => fail(new Error(`redis-server ended with code ${code}`)));
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: () =>
      new Promise((done) => {
        child.once('exit', () => done());
        child.kill('SIGTERM');
      }),
  };
}
