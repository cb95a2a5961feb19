import { spawnSync } from 'node:child_process';
import { Redis } from 'ioredis';
import { freePort } from '#platform/free-port.ts';
import { until } from '#testing/until.ts';
import { findProgram, startProgram } from './processes.ts';

export interface BenchRedis {
  readonly version: string;
  readonly url: string;
}

/** Starts a Redis of our own that keeps nothing on disk; undefined where none is installed. */
export async function startRedis(folder: string): Promise<BenchRedis | undefined> {
  const path = findProgram('redis-server');
  if (path === undefined) return undefined;
  const port = await freePort();
  startProgram(path, ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder], { marker: `127.0.0.1:${port}` });
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  try {
    await until(async () => (await client.ping()) === 'PONG', 10_000, 'Redis does not answer');
  } finally {
    client.disconnect();
  }
  return { url: `redis://127.0.0.1:${port}`, version: /v=([\d.]+)/.exec(spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? '' };
}
