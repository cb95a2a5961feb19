import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createSmsAdapter } from '#channels/sms/twilio/adapter.ts';
import type { ChannelAdapter } from '#domain/delivery/channel.ts';
import { createApp } from '#http/app.ts';
import { createLog } from '#platform/log.ts';
import type { MessageView } from '#schemas/views.ts';
import { SendPlans } from '#services/delivery/send-plan.ts';
import { carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { addColleague, addKeyOf, apiOf } from '#testing/people-who-act.ts';
import { startTestSimulator, TEST_ACCOUNT, TEST_TOKEN, type TestSimulator } from '#testing/simulator.ts';

/** Send guards as people meet them: the API is asked, and the carriers' log decides. `mutants.ts` takes each guard away. */
let simulator: TestSimulator;
let deps: TestDeps;
let app: ReturnType<typeof createApp>;
let sms: ChannelAdapter;
beforeAll(async () => {
  simulator = await startTestSimulator();
  deps = await createTestDeps();
  app = createApp(deps);
  const origin = { apiUrl: simulator.url, callbackBase: 'https://alert.example.org', log: createLog('test', 'silent') };
  sms = createSmsAdapter({ accountSid: TEST_ACCOUNT, authToken: TEST_TOKEN, ...origin, connections: 4 });
});
beforeEach(() => simulator.reset());
afterAll(async () => {
  await sms.close();
  await Promise.all([simulator.close(), deps.close()]);
});

type Api = ReturnType<typeof apiOf>;
let number = 0;

async function office(policy: Record<string, unknown> = {}) {
  const { tenantId, apiKey, userId } = await deps.tenant({ policy: { asksPrograms: false, ...policy } });
  const author = apiOf(app, apiKey);
  const bench = new LaneByHand(deps, deps.as(tenantId));
  const add = async (count: number, tags: string[] = []): Promise<string[]> => {
    const phones: string[] = [];
    for (let i = 0; i < count; i++) {
      number += 1;
      const phone = `+1202557${String(number).padStart(4, '0')}`;
      // These people have mail too, since a correction goes by the channel that the first message came by.
      expect((await author('POST', '/recipients', { name: 'Person', phone, email: `p${number}@example.test`, tags })).status).toBe(201);
      phones.push(phone);
    }
    return phones.sort();
  };
  const work = async (): Promise<void> => {
    await bench.plan();
    await bench.drain({ ...bench.worker(carriers()), plans: new SendPlans(deps, { sms }) }, 'ops');
  };
  const person = (name: string) => addColleague(deps, tenantId, `${name}-${tenantId}@example.test`);
  return { tenantId, userId, author, bench, add, work, person };
}

const draft = (text: string, audience: object = { all: true }) => ({ class: 'ops', text: { en: text }, audience, channels: ['sms'] });
const send = (api: Api, text: string, change: object = {}) =>
  api<MessageView & { code: string }>('POST', '/messages', { ...draft(text), launch: true, ...change });
/** Phone numbers that a carrier was called for with this text. */
const called = async (text: string): Promise<string[]> =>
  simulator
    .logged()
    .filter(({ body }) => body?.includes(text))
    .map(({ to }) => to)
    .sort();
const stateOf = async (api: Api, id: string) => (await api<MessageView>('GET', `/messages/${id}`)).body;

test('audience: nothing is launched for nobody, and nothing starts for people who are no longer there', async () => {
  const { author, add, work, bench } = await office();
  await add(2, ['hall']);
  expect(await send(author, 'Nobody', { audience: { tags: ['no such'] } })).toMatchObject({ status: 422, body: { errors: [{ code: 'empty_audience' }] } });
  const later = await send(author, 'Later', { audience: { tags: ['hall'] }, startAt: new Date(Date.now() + 3_600_000).toISOString() });
  expect(later.status).toBe(201);
  const { tenantId } = bench.ctx;
  await deps.db.withTenant(tenantId, async (tx) => {
    await sql`UPDATE recipients SET tags = '{}' WHERE tenant_id = ${tenantId}`.execute(tx);
    await sql`UPDATE messages SET start_at = now() - interval '1 s' WHERE tenant_id = ${tenantId}`.execute(tx);
  });
  await work();
  expect(await stateOf(author, later.body.id)).toMatchObject({ state: 'draft', returned: 'empty_audience' });
  expect(await called('Later')).toEqual([]);
});

test('approval: who wrote or changed it cannot approve it, by whatever key, and nobody is called before another person has', async () => {
  const { tenantId, userId, author, add, work, person } = await office({ approvalAbove: { life: 1, ops: 1, bulk: 1 } });
  const phones = await add(3);
  const editor = await person('editor');
  const third = await person('third');
  const { body: message } = await author<MessageView>('POST', '/messages', draft('First words'));
  expect((await apiOf(app, editor.apiKey)('PATCH', `/messages/${message.id}`, { text: { en: 'Second words' } })).status).toBe(200);
  const approve = (api: Api) => api('POST', `/messages/${message.id}/approve`);
  const launch = () => author('POST', `/messages/${message.id}/launch`);
  for (const own of [userId, editor.userId]) {
    const refused = await approve(apiOf(app, await addKeyOf(deps, tenantId, own)));
    expect(refused).toMatchObject({ status: 403, body: { code: 'author_cannot_approve' } });
  }
  expect(await launch()).toMatchObject({ status: 409, body: { code: 'approval_required' } });
  await work();
  expect(await called('words')).toEqual([]);
  expect((await approve(apiOf(app, third.apiKey))).status).toBe(200);
  expect((await launch()).status).toBe(202);
  await work();
  expect(await called('Second words')).toEqual(phones);
});

test('correction: it goes to everybody who had the first and to nobody else, whoever fits the audience by now', async () => {
  const { author, add, work, bench } = await office();
  const had = await add(3);
  const [barred] = await add(1);
  expect((await author('POST', '/suppressions', { address: barred })).status).toBe(201);
  const { body: first } = await send(author, 'Wrong hall');
  await work();
  expect(await called('Wrong hall')).toEqual(had);
  await deps.db.withTenant(bench.ctx.tenantId, (tx) => tx.deleteFrom('suppressions').execute());
  await add(2);
  const { status, body: correction } = await author<MessageView>('POST', `/messages/${first.id}/correct`, { text: { en: 'Right hall' } });
  expect(status).toBe(201);
  await work();
  expect(await called('Right hall')).toEqual(had);
  expect((await stateOf(author, correction.id)).deliveries).toMatchObject({ accepted: 3, failed: 0, pending: 0 });
});

test('correction: it goes to those too of whose calls nobody knows the outcome', async () => {
  const { author, add, work } = await office();
  const phones = await add(3);
  simulator.control({ sms: { cutShare: 1, takenShare: 1 } });
  const { body: first } = await send(author, 'Wrong school');
  await work();
  expect((await stateOf(author, first.id)).deliveries).toMatchObject({ unknown: 3 });
  simulator.control({ sms: { cutShare: 0 } });
  expect((await author('POST', `/messages/${first.id}/correct`, { text: { en: 'Right school' } })).status).toBe(201);
  await work();
  expect(await called('Right school')).toEqual(phones);
  // The wrong text is not sent to them again either.
  expect(await called('Wrong school')).toEqual(phones);
});
