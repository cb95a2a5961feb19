import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { recordingSite, startTestSimulator, type TestSimulator } from '#testing/simulator.ts';
import { CallLog } from './call-log.ts';
import { changeBehaviour, LIVELY, QUIET } from './control.ts';

let simulator: TestSimulator;
afterEach(() => simulator.close());

const post = (path: string, body: unknown): Promise<Response> =>
  fetch(simulator.url + path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });
const sms = (To: string): Promise<Response> => simulator.postSms({ To, From: '+15005550006', Body: 'x' });

test('a change is merged group by group, shown, and undone by a reset', async () => {
  simulator = await startTestSimulator({ behaviour: { sms: { latencyMs: 3 } } });
  const answer = await post('/control', {
    sms: { receipts: { repeat: 2 } },
    crowd: { answerShare: 0.5, choices: { a: 1 } },
    addresses: { '+12025550123': { fate: 'silent' } },
  });
  expect(answer.status).toBe(200);
  const shown = await (await fetch(`${simulator.url}/control`)).json();
  expect(shown).toEqual({
    ...QUIET,
    sms: { ...QUIET.sms, latencyMs: 3, receipts: { ...QUIET.sms.receipts, repeat: 2 } },
    crowd: { ...QUIET.crowd, answerShare: 0.5, choices: { a: 1 } },
    addresses: { '+12025550123': { fate: 'silent' } },
  });
  expect(await (await post('/control', shown)).json()).toEqual(shown);
  expect(await (await post('/control', { addresses: { '+12025550123': null } })).json()).toMatchObject({ addresses: {} });
  await sms('+12025550199');
  expect(await (await post('/control/reset', { calls: true })).json()).toEqual({ ...QUIET, sms: { ...QUIET.sms, latencyMs: 3 } });
  expect(simulator.logged()).toEqual([]);
});

test.each([
  [{ sms: { latency: 3 } }, 'sms.latency', 'unknown_field'],
  [{ crowd: { answerShare: 2 } }, 'crowd.answerShare', 'too_big'],
  [{ email: { refusedCodes: ['no'] } }, 'email.refusedCodes.0', 'invalid_format'],
  [{ addresses: { x: { fate: 'late' } } }, 'addresses.x.fate', 'invalid_value'],
])('a wrong field is named and nothing changes: %j', async (change, field, code) => {
  simulator = await startTestSimulator();
  const answer = await post('/control', change);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([422, 'application/problem+json']);
  expect(await answer.json()).toMatchObject({ errors: [{ field, code }] });
  expect(simulator.behaviour()).toEqual(QUIET);
});

test('calls are filtered; wrong filters and bodies are refused', async () => {
  simulator = await startTestSimulator();
  for (const to of ['+12025550001', '+12025550002', '+12025550001']) await sms(to);
  const calls = async (query: string): Promise<unknown> => (await fetch(`${simulator.url}/control/calls?${query}`)).json();
  expect(await calls('channel=sms&to=%2B12025550001')).toMatchObject({ total: 2, items: [{ to: '+12025550001' }, { to: '+12025550001' }] });
  expect(await calls('limit=1')).toMatchObject({ total: 3, items: [{ to: '+12025550001' }] });
  expect(await calls('channel=email')).toEqual({ total: 0, items: [] });
  expect((await fetch(`${simulator.url}/control/calls?chanel=sms`)).status).toBe(422);
  expect((await post('/control', '{')).status).toBe(400);
  expect((await post('/control/nothing', {})).status).toBe(404);
  expect((await fetch(`${simulator.url}/control/reset`)).status).toBe(405);
  expect((await post('/control', `{"x":"${'y'.repeat(1_100_000)}"}`)).status).toBe(413);
});

test('subscriptions name the address they were asked at', async () => {
  simulator = await startTestSimulator();
  const answer = await post('/control/subscriptions', { count: 3 });
  expect(answer.status).toBe(201);
  const { items } = (await answer.json()) as { items: { endpoint: string }[] };
  expect(new Set(items.map(({ endpoint }) => endpoint)).size).toBe(3);
  for (const { endpoint } of items) expect(endpoint.startsWith(`${simulator.url}/push/`)).toBe(true);
  expect((await post('/control/subscriptions', { count: 0 })).status).toBe(422);
});

test("the page shows calls and people; a person's page replies; another site's form is refused", async () => {
  const site = await recordingSite();
  simulator = await startTestSimulator({ publicUrl: site.url });
  await simulator.postSms({ To: '+12025550123', From: '+15005550006', Body: `<b>Flood</b> ${site.url}/r/abc` });
  const front = await (await fetch(simulator.url)).text();
  expect(front).toContain('href="/person/%2B12025550123"');
  expect(front).toContain('&lt;b&gt;Flood&lt;/b&gt;');
  const person = await (await fetch(`${simulator.url}/person/%2B12025550123`)).text();
  expect(person).toContain(`<a href="${site.url}/r/abc"`);
  const form = new URLSearchParams({ from: '+12025550123', to: '+15005550006', body: '1' });
  const sent = await fetch(`${simulator.url}/text`, { method: 'POST', body: form, redirect: 'manual' });
  expect([sent.status, sent.headers.get('location')]).toEqual([303, '/person/%2B12025550123']);
  expect(site.visits.map((visit) => visit.form.Body)).toEqual(['1']);
  expect((await fetch(`${simulator.url}/text`, { method: 'POST', body: form, headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(403);
  expect((await fetch(`${simulator.url}/text`, { method: 'POST', body: new URLSearchParams({ from: 'me' }) })).status).toBe(422);
  expect((await fetch(`${simulator.url}/nowhere`)).status).toBe(404);
  await site.close();
});

test('a log that cannot be written accepts nothing', async () => {
  simulator = await startTestSimulator();
  const log = await CallLog.open(join(simulator.dataFolder, 'other', 'calls.ndjson'));
  const call = { at: '', channel: 'sms', to: '', ref: '', from: '', sid: '', outcome: 'accepted', taken: true } as const;
  await Promise.all([log.append(call), log.append(call)]);
  expect((await readFile(log.path, 'utf8')).split('\n')).toHaveLength(3);
  log.close();
  await expect(log.append(call)).rejects.toThrow('the call log is closed');
});

test('the lively behaviour is one that the rules allow', async () => {
  simulator = await startTestSimulator();
  expect(changeBehaviour(QUIET, LIVELY).crowd.answerShare).toBe(0.6);
});
