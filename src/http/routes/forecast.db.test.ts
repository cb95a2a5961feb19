import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import type { Forecast, MessageView, PreviewView } from '#schemas/views.ts';
import type { SettingsView } from '#schemas/settings.ts';
import { carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { apiOf } from '#testing/people-who-act.ts';

let deps: TestDeps;
let app: ReturnType<typeof createApp>;
beforeAll(async () => {
  deps = await createTestDeps();
  app = createApp(deps);
});
afterAll(() => deps.close());

let bench: LaneByHand;
let apiKey: string;
let numbers = 0;

async function tenantWithRate(unitsPerSecond: number): Promise<void> {
  numbers += 1;
  const made = await deps.tenant({
    policy: { approvalAbove: { life: null, ops: null, bulk: null } },
    senders: [
      { channel: 'sms', name: 'SMS', address: `+1555777${1000 + numbers}`, unitsPerSecond },
      { channel: 'email', name: 'Mail', address: 'Muster <muster@example.test>' },
    ],
  });
  apiKey = made.apiKey;
  bench = new LaneByHand(deps, deps.as(made.tenantId));
}
beforeEach(() => tenantWithRate(1));

const call = <T>(method: string, path: string, body?: unknown) => apiOf(app, apiKey)<T>(method, path, body);
const TWO_PARTS = { en: 'x'.repeat(200) };
const preview = async (input: object = {}): Promise<PreviewView> =>
  (await call<PreviewView>('POST', '/audiences/preview', { audience: { all: true }, channels: ['sms'], text: TWO_PARTS, ...input })).body;
const launch = async (input: object = {}): Promise<MessageView> =>
  (await call<MessageView>('POST', '/messages', { class: 'ops', audience: { all: true }, channels: ['sms'], text: TWO_PARTS, launch: true, ...input })).body;
const smsOf = (forecast: Forecast | null) => forecast?.perChannel.find((row) => row.channel === 'sms');

test('10,000 people x 2 parts: 5 h 33 min on a long code, 3 min 20 s on a short code', async () => {
  await bench.people(10_000, { phone: true });
  expect((await preview()).forecast).toMatchObject({ seconds: 20_000, perChannel: [{ people: 10_000, units: 20_000, unitsPerCall: 2, seconds: 20_000 }] });
  await tenantWithRate(100);
  await bench.people(10_000, { phone: true });
  expect((await preview()).forecast.seconds).toBe(200);
});

test('what is queued at the sender, a throttle, and an end that comes too soon are all in it', async () => {
  await bench.people(300, { phone: true });
  const queued = await launch();
  await bench.plan();
  expect(smsOf((await preview()).forecast)).toMatchObject({ unitsAhead: 600, seconds: 1_200 });
  expect(smsOf((await preview({ class: 'life' })).forecast)).toMatchObject({ unitsAhead: 600, seconds: 1_200 });
  await deps.db.withTenant(bench.ctx.tenantId, (tx) => tx.updateTable('senders').set({ throttle: 0.5 }).where('channel', '=', 'sms').execute());
  const slowed = await preview({ expiresAt: new Date(deps.clock.now() + 1_800_000).toISOString() });
  expect(smsOf(slowed.forecast)).toMatchObject({ unitsPerSecond: 0.5, seconds: 2_400 });
  expect(slowed.warnings.map((warning) => warning.code)).toEqual(['too_late']);
  expect(Math.abs((smsOf(slowed.forecast)?.late ?? 0) - 150)).toBeLessThanOrEqual(1);
  await call('POST', `/messages/${queued.id}/stop`);
  await bench.plan();
  expect(smsOf((await preview()).forecast)).toMatchObject({ unitsAhead: 0 });
});

test('a plan counts every wave, and begins each no sooner than it is due', async () => {
  await bench.people(100, { phone: true });
  const plan = { plan: [{ channels: ['sms'] }, { channels: ['sms'], afterSeconds: 3_600 }] };
  const view = await preview({ channels: plan });
  expect(smsOf(view.forecast)).toMatchObject({ people: 100, units: 400, seconds: 3_600 + 200 });
  expect(view.units).toBe(400);
});

test('after launch the forecast is kept, and the fact stands beside it', async () => {
  await tenantWithRate(5_000);
  await bench.people(50, { phone: true });
  await bench.people(10, { email: true }, 100);
  const before = (await preview({ channels: ['sms', 'email'] })).forecast;
  const draft = await launch({ channels: ['sms', 'email'], launch: false });
  expect([draft.forecast, draft.fact]).toEqual([null, null]);
  const launched = (await call<MessageView>('POST', `/messages/${draft.id}/launch`)).body;
  expect(launched.fact).toMatchObject({ firstCallSeconds: null, seconds: null });
  await bench.work(
    carriers((to) => ({ kind: 'accepted', providerId: 'p', units: to.channel === 'sms' ? 2 : 1 })),
    'ops',
  );
  const { body: over } = await call<MessageView>('GET', `/messages/${draft.id}`);
  expect(over.forecast).toEqual(before);
  const { firstCallSeconds, seconds } = over.fact ?? {};
  expect([(firstCallSeconds ?? -1) >= 0, (seconds ?? -1) >= (firstCallSeconds ?? 0)]).toEqual([true, true]);
  expect(over.fact?.perChannel).toEqual([
    { channel: 'sms', people: 50, units: 100, seconds: expect.any(Number) },
    { channel: 'email', people: 10, units: 10, seconds: expect.any(Number) },
  ]);
  expect(Math.max(...(over.fact?.perChannel ?? []).map((row) => row.seconds ?? 0))).toBe(seconds);
});

test('people whose language a message does not speak are forecast with the text that they get', async () => {
  await tenantWithRate(5_000);
  await bench.people(20, { phone: true });
  await deps.db.withTenant(bench.ctx.tenantId, (tx) => tx.updateTable('recipients').set({ locale: 'fr' }).execute());
  const text = { ...TWO_PARTS, de: 'kurz' };
  const before = (await preview({ text })).forecast;
  const draft = await launch({ text });
  await bench.work(
    carriers(() => ({ kind: 'accepted', providerId: 'p', units: 2 })),
    'ops',
  );
  const { body: over } = await call<MessageView>('GET', `/messages/${draft.id}`);
  expect([before, over.forecast, over.fact].map((one) => one?.perChannel.find((row) => row.channel === 'sms')?.units)).toEqual([40, 40, 40]);
});

test('a correction has a forecast of its own: those who may have had it, by the channels that it came by', async () => {
  await tenantWithRate(5_000);
  await bench.people(6, { phone: true, email: true });
  const first = await launch({ text: { en: 'Come' } });
  await bench.work(carriers(), 'ops');
  const { body: correction } = await call<MessageView>('POST', `/messages/${first.id}/correct`, { text: { en: 'Stay away' } });
  await bench.work(carriers(), 'ops');
  const { body: view } = await call<MessageView>('GET', `/messages/${correction.id}`);
  const people = Object.fromEntries((view.forecast?.perChannel ?? []).map((row) => [row.channel, row.people]));
  expect([people, view.fact?.perChannel.map((row) => row.people)]).toEqual([{ push: 0, sms: 6, email: 0 }, [6]]);
});

test('settings are read by everybody and changed by an administrator, field by field', async () => {
  const { body: first } = await call<SettingsView>('GET', '/settings');
  expect(first).toMatchObject({ defaultLocale: 'en', defaultCountry: 'US', timeZone: null, quietHours: null });
  const changed = await call<SettingsView>('PATCH', '/settings', { timeZone: 'europe/berlin', quietHours: { from: '21:00', to: '08:00' } });
  expect(changed).toEqual({ status: 200, body: { ...first, timeZone: 'Europe/Berlin', quietHours: { from: '21:00', to: '08:00' } } });
  const { policy } = await deps.db.withTenant(bench.ctx.tenantId, (tx) => tx.selectFrom('tenants').select('policy').executeTakeFirstOrThrow());
  // What else the policy holds stays.
  expect(policy['approvalAbove']).toEqual({ life: null, ops: null, bulk: null });
  const wrong = await call<{ errors: { field: string }[] }>('PATCH', '/settings', {
    timeZone: '+02:00',
    quietHours: { from: '9 pm', to: '08:00' },
    defaultLocale: 'qq',
    colour: 'red',
  });
  expect([wrong.status, wrong.body.errors.map((error) => error.field).sort()]).toEqual([422, ['colour', 'defaultLocale', 'quietHours.from', 'timeZone']]);
  const country = await call<{ code: string; errors: { field: string }[] }>('PATCH', '/settings', { defaultCountry: 'XX' });
  expect([country.status, country.body.errors[0]?.field]).toEqual([422, 'defaultCountry']);
  expect((await call<SettingsView>('PATCH', '/settings', { timeZone: null, quietHours: null })).body).toEqual(first);
});
