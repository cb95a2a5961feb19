import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import type { DeliveryView, MessageView, Page, PreviewView } from '#schemas/views.ts';
import { createApiKey } from '#services/access/api-keys.ts';
import { createRecipient } from '#services/recipients/create-recipient.ts';
import { ALL_SCOPES } from '#services/organisations/create-tenant.ts';
import { deliverBatch } from '#services/delivery/deliver-batch.ts';
import { carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { apiOf } from '#testing/people-who-act.ts';

/** The limit of messages per person and hour, as programs and the people in the console meet it. */
let deps: TestDeps;
let app: ReturnType<typeof createApp>;
beforeAll(async () => {
  deps = await createTestDeps();
  app = createApp(deps);
});
afterAll(() => deps.close());

let bench: LaneByHand;
let key: string;
beforeEach(async () => {
  bench = await LaneByHand.open(deps);
  ({ key } = await createApiKey(bench.ctx, { name: 'test', mode: 'live', scopes: ALL_SCOPES }));
  await call('PATCH', '/settings', { hourlyCeiling: 2 });
});

async function call<T>(method: string, path: string, body?: object): Promise<T> {
  const answer = await apiOf(app, key)<T>(method, path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
}

let texts = 0;
const launch = (audience: object, change: object = {}) => {
  texts += 1;
  return call<MessageView>('POST', '/messages', { class: 'ops', text: { en: `Message ${texts}` }, audience, channels: ['sms'], launch: true, ...change });
};

test('the preview says how many are left out, and they are listed with the reason', async () => {
  for (const n of [1, 2, 3, 4, 5]) await createRecipient(bench.ctx, { phone: `+1212555010${n}`, tags: [n <= 3 ? 'busy' : 'rested'] });
  const preview = (more: object = {}) => call<PreviewView>('POST', '/audiences/preview', { audience: { all: true }, channels: ['sms'], ...more });
  for (let n = 0; n < 2; n += 1) {
    expect(await preview()).toMatchObject({ count: 5, atCeiling: 0, warnings: [] });
    await launch({ tags: ['busy'] });
    await bench.work(carriers(), 'ops');
  }
  const full = await preview();
  expect(full).toMatchObject({ count: 5, atCeiling: 3, warnings: [{ code: 'hourly_ceiling' }] });
  expect(full.warnings[0]?.detail).toContain('3 of these people have had 2 messages within the hour');
  expect(await preview({ audience: { tags: ['rested'] } })).toMatchObject({ atCeiling: 0, warnings: [] });
  expect(await preview({ class: 'life' })).toMatchObject({ atCeiling: 0, warnings: [] });

  const third = await launch({ all: true });
  await bench.work(carriers(), 'ops');
  expect((await call<MessageView>('GET', `/messages/${third.id}`)).deliveries).toMatchObject({ accepted: 2, failed: 3 });
  const { items } = await call<Page<DeliveryView>>('GET', `/messages/${third.id}/deliveries?state=failed`);
  expect(items.map(({ code }) => code)).toEqual(['hourly_ceiling', 'hourly_ceiling', 'hourly_ceiling']);
});

test('messages that go out at the same moment do not exceed it together', async () => {
  await bench.people(40, { phone: true });
  const messages: MessageView[] = [];
  for (let n = 0; n < 6; n += 1) messages.push(await launch({ all: true }));
  await bench.plan();
  const carrier = carriers();
  await Promise.all(messages.map(() => bench.work(carrier, 'ops')));
  const had = new Map<string, number>();
  for (const { address } of carrier.calls) had.set(address, (had.get(address) ?? 0) + 1);
  expect([had.size, ...new Set(had.values())]).toEqual([40, 2]);
});

test('a mark that meets another message’s mark under way waits for it, and counts it', async () => {
  const person = await createRecipient(bench.ctx, { phone: '+12125550101' });
  await launch({ all: true });
  await bench.work(carriers(), 'ops');
  await launch({ all: true });
  await bench.plan();
  const other = await bench.claim('ops', 'other');
  const holder = await deps.db.connect();
  try {
    await holder.query('BEGIN');
    await holder.query(`SELECT set_config('app.tenant', $1, true)`, [String(bench.ctx.tenantId)]);
    await holder.query('SELECT over_ceiling($1, $2, 2)', [[other.messageId], deps.ids.decode('rcp', person.id)]);
    await holder.query(
      `INSERT INTO deliveries (message_id, recipient_id, channel, wave, tenant_id, state, attempts, marked_at)
       VALUES ($1, $2, 'sms', 0, $3, 'attempting', 1, clock_timestamp())`,
      [other.messageId, deps.ids.decode('rcp', person.id), bench.ctx.tenantId],
    );
    const third = await launch({ all: true });
    const carrier = carriers();
    const working = bench.work(carrier, 'ops');
    const waiting = async (): Promise<number> => {
      const { rows } = await holder.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      return rows[0]?.n ?? 0;
    };
    await expect.poll(waiting).toBe(1);
    await holder.query('COMMIT');
    await working;
    expect(carrier.calls).toEqual([]);
    expect((await call<MessageView>('GET', `/messages/${third.id}`)).deliveries).toMatchObject({ accepted: 0, failed: 1 });
  } finally {
    holder.release();
  }
});

/** Sessions of this database that wait for a lock. */
const WAITING = `SELECT count(DISTINCT pid)::int AS n FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())`;

test.each(['launched', 'scheduled'] as const)('a message that is %s while another one is being marked does not slip past it', async (how) => {
  await call('PATCH', '/settings', { hourlyCeiling: 1 });
  await bench.people(3, { phone: true });
  const second = how === 'scheduled' ? await launch({ all: true }, { startAt: new Date(Date.now() + 3_600_000).toISOString() }) : undefined;
  await launch({ all: true });
  await bench.plan();
  const carrier = carriers();
  const first = await bench.claim('ops', 'first');
  const holder = await deps.db.connect();
  const within = (statement: string, values: unknown[] = []) => holder.query(statement, values);
  try {
    // Its mark has begun and has seen which messages there are. It now waits in the middle of its statement.
    await within('BEGIN');
    await within(`SELECT set_config('app.tenant', $1, true)`, [String(bench.ctx.tenantId)]);
    await within('SELECT 1 FROM batches WHERE id = $1 FOR UPDATE', [first.id]);
    const marking = deliverBatch(bench.worker(carrier), first);
    const waiting = async (): Promise<number> => (await holder.query<{ n: number }>(WAITING)).rows[0]?.n ?? 0;
    await expect.poll(waiting).toBe(1);
    let over = false;
    const other = (async () => {
      if (second)
        await deps.db.withTenant(bench.ctx.tenantId, (tx) =>
          tx
            .updateTable('messages')
            .set({ start_at: new Date(Date.now() - 1_000) })
            .where('id', '=', deps.ids.decode('msg', second.id) ?? '')
            .execute(),
        );
      else await launch({ all: true });
      await bench.work(carrier, 'ops');
    })().finally(() => (over = true));
    await expect.poll(async () => over || (await waiting()) === 2).toBe(true);
    await within('COMMIT');
    await Promise.all([marking, other]);
  } finally {
    holder.release();
  }
  expect(carrier.calls.map(({ address }) => address)).toHaveLength(3);
  expect(new Set(carrier.calls.map(({ address }) => address)).size).toBe(3);
});
