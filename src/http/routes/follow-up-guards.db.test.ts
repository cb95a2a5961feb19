import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import { progressHub } from '#http/progress-hub.ts';
import type { MessageView } from '#schemas/views.ts';
import { createApiKey } from '#services/access/api-keys.ts';
import type { Scope } from '#services/context.ts';
import { ALL_SCOPES } from '#services/organisations/create-tenant.ts';
import { carriers } from '#testing/carriers.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { apiOf } from '#testing/people-who-act.ts';

/** What follows another message is a send like any other: what it does decides which guards hold, not what it is called. */
let deps: TestDeps;
let app: ReturnType<typeof createApp>;
beforeAll(async () => {
  deps = await createTestDeps();
  app = createApp(deps);
});
afterAll(async () => {
  await progressHub(deps).close();
  await deps.close();
});

let bench: LaneByHand;
let api: ReturnType<typeof apiOf>;
const keyOf = async (scopes: readonly Scope[]) => apiOf(app, (await createApiKey(bench.ctx, { name: 'test', mode: 'live', scopes: [...scopes] })).key);
beforeEach(async () => {
  bench = await LaneByHand.open(deps);
  api = await keyOf(ALL_SCOPES);
});

const launch = async (change: object = {}): Promise<MessageView> => {
  const input = { class: 'ops', text: { en: 'Come to the hall' }, audience: { all: true }, channels: ['sms'], launch: true, ...change };
  const made = await api<MessageView>('POST', '/messages', input);
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return made.body;
};

describe('what a CAP update is called', () => {
  let alerts = 0;
  const at = (seconds: number): string => `${new Date(deps.clock.now() + seconds * 1000).toISOString().slice(0, 19)}+00:00`;
  const post = async (msgType: 'Alert' | 'Update', references = '') => {
    alerts += 1;
    const [identifier, sent] = [`A-${alerts}`, at(alerts)];
    const answer = await app.request('/v1/cap', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${(await createApiKey(bench.ctx, { name: 'cap', mode: 'live', scopes: ALL_SCOPES })).key}`,
        'content-type': 'application/cap+xml',
      },
      body: `<?xml version="1.0" encoding="UTF-8"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>${identifier}</identifier>
        <sender>met@example.test</sender><sent>${sent}</sent><status>Actual</status><msgType>${msgType}</msgType><scope>Public</scope>${references}
        <info><language>en</language><category>Met</category><event>Flood</event><urgency>Immediate</urgency><severity>Severe</severity>
        <certainty>Likely</certainty><expires>${at(3600)}</expires><headline>Flood</headline><description>The dam breaks.</description>
        <instruction>Go uphill.</instruction><area><areaDesc>Valley</areaDesc><circle>1,2 3</circle></area></info></alert>`,
    });
    return { reference: `<references>met@example.test,${identifier},${sent}</references>`, message: (await answer.json()) as MessageView };
  };
  /** A draft that is called a correction, turned into a campaign to everybody. */
  const disguised = async (text: string): Promise<MessageView> => {
    const first = await post('Alert');
    await api('PATCH', `/messages/${first.message.id}`, { audience: { all: true }, channels: ['email'] });
    expect((await api('POST', `/messages/${first.message.id}/launch`, { acknowledge: ['repeated_text', 'rejected_rows'] })).status).toBe(202);
    const { message } = await post('Update', first.reference);
    expect(message).toMatchObject({ state: 'draft', kind: 'correction' });
    const change = { class: 'bulk', text: { en: text }, audience: { all: true }, channels: ['sms'], startAt: null };
    const changed = await api<MessageView>('PATCH', `/messages/${message.id}`, change);
    expect(changed.status, JSON.stringify(changed.body)).toBe(200);
    return changed.body;
  };

  test('lifts no ceiling: nobody gets more than their limit', async () => {
    await api('PATCH', '/settings', { hourlyCeiling: 2 });
    await bench.people(3, { phone: true });
    const carrier = carriers();
    for (let n = 0; n < 4; n += 1) {
      const { id } = await disguised(`Offer ${n}`);
      expect((await api('POST', `/messages/${id}/launch`)).status).toBe(202);
      await bench.work(carrier, 'bulk');
    }
    const had = Map.groupBy(
      carrier.calls.filter(({ channel }) => channel === 'sms'),
      ({ address }) => address,
    );
    expect([...had.values()].map((calls) => calls.length)).toEqual([2, 2, 2]);
  });

  test('is no answer to the question about a repeated text', async () => {
    await api('PATCH', '/settings', { asksPrograms: true });
    await bench.people(3, { phone: true });
    const { id } = await disguised('Come to the hall');
    await launch({ class: 'bulk' });
    expect(await api('POST', `/messages/${id}/launch`)).toMatchObject({ status: 409, body: { code: 'repeated_text' } });
    const { id: other } = await disguised('Another offer');
    await api('POST', `/messages/${other}/launch`);
    const repeated = { class: 'bulk', text: { en: 'another OFFER' }, audience: { all: true }, channels: ['sms'], launch: true };
    expect(await api('POST', '/messages', repeated)).toMatchObject({ status: 409, body: { code: 'repeated_text' } });
  });

  test('is no answer to the question about rejected rows', async () => {
    await api('PATCH', '/settings', { asksPrograms: true });
    await bench.people(3, { phone: true });
    const { id } = await disguised('Come to the hall');
    const answer = await app.request('/v1/recipients/import', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${(await createApiKey(bench.ctx, { name: 'csv', mode: 'live', scopes: ALL_SCOPES })).key}`,
        'content-type': 'text/csv',
      },
      body: 'phone\n12345\n',
    });
    expect(await answer.json()).toMatchObject({ rejected: 1 });
    expect(await api('POST', `/messages/${id}/launch`)).toMatchObject({ status: 409, body: { code: 'rejected_rows' } });
  });

  test('does not keep an ops message from its fallback', async () => {
    await bench.people(2, { phone: true, email: true });
    const { id } = await disguised('Come to the hall');
    await api('PATCH', `/messages/${id}`, { class: 'ops', channels: ['sms', 'email'] });
    expect((await api('POST', `/messages/${id}/launch`)).status).toBe(202);
    const carrier = carriers(({ channel }) => (channel === 'sms' ? { kind: 'rejected', code: 'landline' } : { kind: 'accepted', providerId: 'p', units: 1 }));
    await bench.work(carrier, 'ops');
    await bench.work(carrier, 'ops');
    const called = (channel: string) => carrier.calls.filter((call) => call.channel === channel).length;
    expect([called('sms'), called('email')]).toEqual([2, 2]);
  });
});

describe('a correction is a send', () => {
  test.each(['correct', 'all-clear'] as const)('%s needs the scope of the class', async (verb) => {
    await bench.people(2, { phone: true });
    const { id } = await launch();
    const carrier = carriers();
    await bench.work(carrier, 'ops');
    for (const scopes of [
      ['read', 'write'],
      ['read', 'write', 'send:bulk', 'send:life'],
    ] as const) {
      const answer = await (await keyOf(scopes))('POST', `/messages/${id}/${verb}`, { text: { en: 'It is over' } });
      expect(answer).toMatchObject({ status: 403, body: { code: 'scope_missing', scope: 'send:ops' } });
    }
    await bench.work(carrier, 'ops');
    expect(carrier.calls).toHaveLength(2);
    const sent = await (await keyOf(['read', 'send:ops']))('POST', `/messages/${id}/${verb}`, { text: { en: 'It is over' } });
    expect(sent.status, JSON.stringify(sent.body)).toBe(201);
    await bench.work(carrier, 'ops');
    expect(carrier.calls).toHaveLength(4);
  });

  test('stopping needs no scope to send; letting go again needs it for every class that waits', async () => {
    await bench.people(2, { phone: true });
    await launch();
    await launch({ class: 'bulk', text: { en: 'Offer' } });
    const writer = await keyOf(['read', 'write']);
    for (const scope of [{ scope: 'tenant' }, { scope: 'channel', channel: 'sms' }]) {
      expect((await writer('POST', '/stop', scope)).status).toBe(200);
      expect(await writer('POST', '/stop', { ...scope, release: true })).toMatchObject({ status: 403, body: { code: 'scope_missing' } });
      const half = await keyOf(['read', 'write', 'send:ops']);
      expect(await half('POST', '/stop', { ...scope, release: true })).toMatchObject({ status: 403, body: { scope: 'send:bulk' } });
      const sender = await keyOf(['read', 'write', 'send:ops', 'send:bulk']);
      expect((await sender('POST', '/stop', { ...scope, release: true })).status).toBe(200);
    }
  });

  test('it says how many people it goes to, and goes to as many as were shown', async () => {
    await bench.people(3, { phone: true });
    const { id } = await launch();
    expect(await api('GET', `/messages/${id}/reached`)).toMatchObject({ status: 200, body: { count: 0 } });
    await bench.work(carriers(), 'ops');
    expect(await api('GET', `/messages/${id}/reached`)).toMatchObject({ status: 200, body: { count: 3 } });
    const correction = { text: { en: 'It is over' } };
    expect(await api('POST', `/messages/${id}/correct`, { ...correction, count: 2 })).toMatchObject({ status: 409, body: { code: 'count_changed', count: 3 } });
    expect((await api('POST', `/messages/${id}/correct`, { ...correction, count: 3 })).status).toBe(201);
  });

  test('a message is corrected five times within ten minutes, and then is asked to wait; corrections of corrections count', async () => {
    await bench.people(2, { phone: true });
    const carrier = carriers();
    const { id } = await launch();
    await bench.work(carrier, 'ops');
    let last = id;
    for (let n = 0; n < 5; n += 1) {
      const made = await api<MessageView>('POST', `/messages/${n % 2 === 0 ? id : last}/correct`, { text: { en: `Correction ${n}` } });
      expect(made.status, JSON.stringify(made.body)).toBe(201);
      last = made.body.id;
      await bench.work(carrier, 'ops');
    }
    for (const one of [id, last])
      expect(await api('POST', `/messages/${one}/correct`, { text: { en: 'Correction 6' } })).toMatchObject({
        status: 429,
        body: { code: 'too_many_corrections', retryAfterSeconds: expect.any(Number) as number },
      });
    // The all-clear undoes harm and is never held back.
    expect((await api('POST', `/messages/${id}/all-clear`, { text: { en: 'All clear' } })).status).toBe(201);
  });

  test('at once, no more corrections pass than one after the other', async () => {
    await bench.people(2, { phone: true });
    const { id } = await launch();
    await bench.work(carriers(), 'ops');
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => api('POST', `/messages/${id}/correct`, { text: { en: `Correction ${n}` } })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(7);
  });
});
