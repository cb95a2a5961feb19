import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createLog } from '#platform/log.ts';
import { openQueues } from './queues.ts';

const nudges = async (redisUrl: string, count: number): Promise<number> => {
  const queues = openQueues({ redisUrls: [redisUrl], databaseUrl: '', log: createLog('test', 'silent') });
  const started = performance.now();
  for (let i = 0; i < count; i++) await queues.nudge('plan', { tenantId: 1, waveId: '1' });
  const took = performance.now() - started;
  await queues.close();
  return took;
};

test('nudges to a Redis that is not there cost one short wait, not one each', async () => {
  // Nobody listens on port 1, and nobody has since this process began.
  expect(await nudges('redis://127.0.0.1:1', 50)).toBeLessThan(3_000);
});

test('nudges to a Redis that accepts and never answers cost one short wait, not one each', async () => {
  const open = new Set<Socket>();
  const server = createServer((socket) => open.add(socket.on('error', () => undefined)));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  expect(await nudges(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`, 50)).toBeLessThan(3_000);
  for (const socket of open) socket.destroy();
  await new Promise((done) => server.close(done));
});
