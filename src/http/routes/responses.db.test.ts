import { OpenAPIHono } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppEnv } from '#http/env.ts';
import { errorHandler } from '#http/problem.ts';
import { recordAnswer } from '#services/answers/answer.ts';
import { joinThroughShare } from '#services/spread/join.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addMessage, addRecipients } from '#testing/people.ts';
import { responsesRoutes } from './responses.ts';

let deps: TestDeps;
let app: OpenAPIHono<AppEnv>;
let tenantId: number;
beforeAll(async () => {
  deps = await createTestDeps();
  ({ tenantId } = await deps.tenant());
  app = appOf(tenantId);
});
afterAll(() => deps.close());

function appOf(tenant: number): OpenAPIHono<AppEnv> {
  const made = new OpenAPIHono<AppEnv>();
  made.onError(errorHandler(deps));
  made.use(async (c, next) => {
    c.set('ctx', deps.as(tenant));
    await next();
  });
  responsesRoutes(deps).mountOn(made);
  return made;
}
const within = <T>(work: Parameters<typeof deps.db.withTenant<T>>[1]) => deps.db.withTenant(tenantId, work);
const get = async <T>(path: string): Promise<T> => (await (await app.request(path)).json()) as T;
const pub = (id: string) => deps.ids.encode('msg', id);

test('answers: every page once, newest first, by key, and the whole as CSV without formulas', async () => {
  const message = await addMessage(deps, tenantId);
  const people = await addRecipients(deps, tenantId, 25);
  await Promise.all(
    people.map((recipientId, i) =>
      recordAnswer(deps, { tenantId, messageId: message, recipientId, key: i % 5 === 0 ? 'no' : 'yes', way: 'page', note: i === 1 ? '=SUM(A1)' : undefined }),
    ),
  );
  const ids: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { items: { recipientId: string; label: string }[]; next: string | null } = await get(
      `/v1/messages/${pub(message)}/answers?limit=10${cursor && `&cursor=${cursor}`}`,
    );
    ids.push(...page.items.map((a) => a.recipientId));
    cursor = page.next;
  }
  expect(ids.length).toBe(25);
  expect(new Set(ids)).toEqual(new Set(people.map((p) => deps.ids.encode('rcp', p))));
  expect((await get<{ items: unknown[] }>(`/v1/messages/${pub(message)}/answers?key=no`)).items).toHaveLength(5);
  const csv = await (await app.request(`/v1/messages/${pub(message)}/answers?format=csv`)).text();
  expect(csv.trim().split('\r\n')).toHaveLength(26);
  expect(csv).toContain(`"'=SUM(A1)"`);
});

test('refusals name what is wrong, and another tenant sees nothing', async () => {
  const message = await addMessage(deps, tenantId);
  expect((await app.request(`/v1/messages/${pub(message)}/answers?cursor=x`)).status).toBe(422);
  expect((await app.request(`/v1/messages/${pub(message)}/answers?unknown=x`)).status).toBe(422);
  expect((await app.request('/v1/messages/msg_x/spread')).status).toBe(404);
  const other = appOf((await deps.tenant()).tenantId);
  for (const path of ['answers', 'answers?format=csv', 'spread', 'spread?format=csv'])
    expect((await other.request(`/v1/messages/${pub(message)}/${path}`)).status).toBe(404);
});

test('spread: edges, generations, top sharers, and too early until 30 people have had time', async () => {
  const message = await addMessage(deps, tenantId, { share: true });
  const [seed = '', second = ''] = await addRecipients(deps, tenantId, 2);
  await within((tx) => sql`UPDATE messages SET frozen_count = 42 WHERE id = ${message}`.execute(tx));
  const join = async (parentId: string, n: number) =>
    (
      await within((tx) =>
        joinThroughShare(tx, deps, tenantId, {
          messageId: message,
          parentId,
          by: { channel: 'email', address: `spread${n}@example.org` },
          consent: ['ops'],
          locale: null,
        }),
      )
    ).recipientId;
  const first = await join(seed, 1);
  await join(first, 2);
  for (let n = 3; n < 10; n++) await join(second, n);
  interface Spread {
    items: { parentId: string; generation: number }[];
    next: string | null;
    generations: { generation: number; people: number; sharers: number; reproduction: unknown }[];
    top: { recipientId: string; joins: number }[];
  }
  const early = await get<Spread>(`/v1/messages/${pub(message)}/spread?limit=5`);
  expect(early.items.map((e) => e.generation)).toEqual([1, 2, 1, 1, 1]);
  expect((await get<Spread>(`/v1/messages/${pub(message)}/spread?limit=5&cursor=${early.next}`)).items).toHaveLength(4);
  expect(early.top[0]).toMatchObject({ recipientId: deps.ids.encode('rcp', second), joins: 7 });
  expect(early.generations.map((g) => [g.generation, g.people, g.sharers, g.reproduction])).toEqual([
    [0, 33, 2, 'too_early'],
    [1, 8, 1, 'too_early'],
    [2, 1, 0, 'too_early'],
  ]);
  const mature = await get<Spread>(`/v1/messages/${pub(message)}/spread?matureMinutes=0`);
  expect(mature.generations[0]?.reproduction).toMatchObject({ r: 8 / 33, people: 33 });
  expect(mature.generations[1]?.reproduction).toBe('too_early');
  const csv = await (await app.request(`/v1/messages/${pub(message)}/spread?format=csv`)).text();
  expect(csv.trim().split('\r\n')).toHaveLength(10);
});

test('texts that wait for a human are listed until one has dealt with them', async () => {
  const message = await addMessage(deps, tenantId);
  await within((tx) =>
    sql`INSERT INTO inbound_texts (tenant_id, provider_id, sender_id, from_address, message_id, body, outcome, needs_human)
      SELECT ${tenantId}, 'SM' || i, 1, '+15550000000', ${message}, 'text ' || i, 'unclear', i % 2 = 0 FROM generate_series(1, 6) i`.execute(tx),
  );
  const waiting = () => get<{ items: { id: string; body: string }[] }>(`/v1/texts?needsHuman=true&messageId=${pub(message)}`);
  expect((await waiting()).items.map((t) => t.body)).toEqual(['text 6', 'text 4', 'text 2']);
  const id = (await waiting()).items[0]?.id ?? '';
  for (let i = 0; i < 2; i++) expect((await app.request(`/v1/texts/${id}/handled`, { method: 'POST' })).status).toBe(200);
  expect((await waiting()).items.map((t) => t.body)).toEqual(['text 4', 'text 2']);
  expect((await get<{ items: unknown[] }>('/v1/texts')).items).toHaveLength(6);
  expect((await app.request('/v1/texts/inb_x/handled', { method: 'POST' })).status).toBe(404);
  const handled = await within((tx) => tx.selectFrom('audit_log').select('action').where('action', '=', 'text.handled').execute());
  expect(handled).toHaveLength(1);
});
