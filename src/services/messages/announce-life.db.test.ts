import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { launchMessage } from './launch-message.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

test('workers hear of a life message before anybody of it is counted, and of no other', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(10);
  /** What workers were told, in order; true: of this message, once there is one. */
  const told = (id: string) =>
    deps.nudges
      .splice(0)
      .filter(({ name }) => name.startsWith('deliver-'))
      .map(({ name, data }) => [name, 'messageId' in data && data.messageId === (bench.ctx.ids.decode('msg', id) ?? '') ? true : data]);
  const coming = ['deliver-life', { messageId: null }];
  const ops = await bench.launch('ops');
  expect(new Set(told(ops.id).map(String))).toEqual(new Set(['deliver-ops,true']));

  const draft = await bench.launch('life', { launch: false });
  expect(told(draft.id)).toEqual([]);
  await launchMessage(bench.ctx, draft.id);
  const [first, ...others] = told(draft.id);
  expect(first).toEqual(coming);
  expect(others).toContainEqual(['deliver-life', true]);

  const life = await bench.launch('life');
  const heard = told(life.id);
  expect(heard[0]).toEqual(coming);
  expect(heard.slice(1)).toContainEqual(['deliver-life', true]);
  expect(heard.filter(([, data]) => data !== true)).toHaveLength(1);
});

test('who may not send life moves nobody', async () => {
  const { tenantId } = await deps.tenant();
  const bench = new LaneByHand(
    deps,
    deps.as(tenantId, { label: 'key:1', userId: null, scopes: new Set(['write', 'send:ops']), mode: 'live' }),
  );
  await bench.people(1);
  deps.nudges.splice(0);
  await expect(bench.launch('life')).rejects.toMatchObject({ code: 'scope_missing' });
  await expect(bench.launch('ops', { expiresAt: new Date(0).toISOString() })).rejects.toMatchObject({ code: 'invalid_message' });
  expect(deps.nudges).toEqual([]);
});
