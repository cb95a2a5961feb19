import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { migrateQueue } from './connection.ts';
import { consume, openQueues } from './queues.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
  await migrateQueue(deps.databaseUrl);
});
afterAll(() => deps.close());

test('a nudge that is kept for later comes after what is nudged at once, and is sent when its process ends before', async () => {
  const options = { redisUrls: [], databaseUrl: deps.databaseUrl, log: deps.log };
  const heard: unknown[] = [];
  const all = new Promise<void>((done) => {
    const hear = (data: unknown): Promise<void> => {
      if (heard.push(data) === 3) done();
      return Promise.resolve();
    };
    const consumer = consume({ plan: hear }, 1, options);
    afterAll(() => consumer.close());
  });
  const queues = openQueues(options);
  const wave = (waveId: string) => ({ tenantId: 1, waveId });
  await queues.nudge('plan', wave('kept'), { delayMs: 600_000 });
  await queues.nudge('plan', wave('later'), { delayMs: 50 });
  await queues.nudge('plan', wave('now'));
  await expect.poll(() => heard).toEqual([wave('now'), wave('later')]);
  await queues.close();
  await all;
  expect(heard[2]).toEqual(wave('kept'));
});
