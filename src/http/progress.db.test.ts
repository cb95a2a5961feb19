import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MessageInput } from '#schemas/message.ts';
import { notifyProgress } from '#services/context.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { messageIdOf } from '#services/message-row.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { createApp } from './app.ts';
import { createProgressHub, progressHub, type ProgressFrame } from './progress-hub.ts';

let deps: TestDeps;
let tenantId: number;
let apiKey: string;

const input: MessageInput = {
  class: 'ops',
  drill: false,
  text: { en: 'Come to the hall' },
  audience: { all: true },
  channels: ['sms'],
  answers: [],
  share: false,
  launch: false,
};

beforeAll(async () => {
  deps = await createTestDeps();
  ({ tenantId, apiKey } = await deps.tenant());
});
afterAll(async () => {
  await progressHub(deps).close();
  await deps.close();
});

/** Changes the message as a verb would, with its notification. */
const retitle = (publicId: string, title: string) =>
  deps.db.withTenant(tenantId, async (tx) => {
    const id = messageIdOf(deps.as(tenantId), publicId);
    await tx.updateTable('messages').set({ title }).where('id', '=', id).execute();
    await notifyProgress(tx, tenantId, id);
  });

/** Resolves with the first frame that has this title. */
function waitFor(title: string): { frame: (frame: ProgressFrame) => void; seen: Promise<ProgressFrame>; count: () => number } {
  let found: (frame: ProgressFrame) => void;
  let frames = 0;
  const seen = new Promise<ProgressFrame>((done) => {
    found = done;
  });
  return {
    frame: (frame) => {
      frames += 1;
      if (frame.view.title === title) found(frame);
    },
    seen,
    count: () => frames,
  };
}

test('1,000 watchers of one message cost one read per change, and bursts are joined', async () => {
  const hub = createProgressHub(deps);
  const ctx = deps.as(tenantId);
  const { id } = await createMessage(ctx, input);
  const watchers = Array.from({ length: 1000 }, () => waitFor('title 40'));
  await Promise.all(watchers.map((watcher) => hub.watch(ctx, id, watcher)));
  expect(hub.stats).toMatchObject({ watchers: 1000, messages: 1, reads: 1 });
  for (let i = 1; i <= 40; i++) await retitle(id, `title ${i}`);
  const frames = await Promise.all(watchers.map((watcher) => watcher.seen));
  expect(new Set(frames).size).toBe(1);
  expect(hub.stats.reads).toBeLessThan(20);
  await hub.close();
});

test('a lost LISTEN connection comes back, and what was missed is read', async () => {
  const hub = createProgressHub(deps);
  const ctx = deps.as(tenantId);
  const { id } = await createMessage(ctx, input);
  const watcher = waitFor('while deaf');
  await hub.watch(ctx, id, watcher);
  const owner = await deps.db.connect();
  await owner.query('SET ROLE NONE');
  const { rowCount } = await owner.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN progress' AND datname = current_database()`,
  );
  expect(rowCount).toBeGreaterThan(0);
  owner.release(true);
  await retitle(id, 'while deaf');
  expect((await watcher.seen).view.title).toBe('while deaf');
  await hub.close();
});

test('an unknown message is 404, and watching nobody costs nothing', async () => {
  const hub = createProgressHub(deps);
  const ctx = deps.as(tenantId);
  await expect(hub.watch(ctx, deps.ids.encode('msg', 999_999), { frame: () => undefined })).rejects.toMatchObject({ status: 404 });
  const other = await deps.tenant();
  const { id } = await createMessage(deps.as(other.tenantId), input);
  await expect(hub.watch(ctx, id, { frame: () => undefined })).rejects.toMatchObject({ status: 404 });
  expect(hub.stats.messages).toBe(0);
  await hub.close();
});

/** Reads server-sent events until `enough` says so. */
async function readEvents(
  response: Response,
  enough: (events: { id: string; title: string | null }[]) => boolean,
): Promise<{ id: string; title: string | null }[]> {
  const events: { id: string; title: string | null }[] = [];
  let text = '';
  const decoder = new TextDecoder();
  if (!response.body) throw new Error('no body');
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      const [, eventId, data] = /^event: message\nid: (.+)\ndata: (.+)$/.exec(block) ?? [];
      if (eventId && data) events.push({ id: eventId, title: (JSON.parse(data) as { title: string | null }).title });
    }
    if (enough(events)) break;
  }
  return events;
}

test('the event stream gives the current state, then changes, and resumes from Last-Event-ID', async () => {
  const app = createApp(deps);
  const { id } = await createMessage(deps.as(tenantId), input);
  const open = (lastEventId?: string) =>
    app.request(`/v1/messages/${id}/events`, {
      headers: { authorization: `Bearer ${apiKey}`, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) },
    });

  const first = await open();
  expect(first.headers.get('content-type')).toContain('text/event-stream');
  const live = readEvents(first, (events) => events.some((event) => event.title === 'two'));
  await retitle(id, 'two');
  const events = await live;
  expect(events.at(-1)?.title).toBe('two');

  // Nothing new: only what changes after the resumption is sent.
  const resumed = readEvents(await open(events.at(-1)?.id), (more) => more.length > 0);
  await retitle(id, 'three');
  expect((await resumed).map((event) => event.title)).toEqual(['three']);

  // Something was missed: the state as it is comes at once.
  expect((await readEvents(await open(events.at(-1)?.id), (more) => more.length > 0)).map((event) => event.title)).toEqual(['three']);
  const missing = await app.request(`/v1/messages/${deps.ids.encode('msg', 999_999)}/events`, { headers: { authorization: `Bearer ${apiKey}` } });
  expect(missing.status).toBe(404);
});

test('every reader who leaves is forgotten, and shutdown ends the streams', async () => {
  const app = createApp(deps);
  const hub = progressHub(deps);
  const before = hub.stats.watchers;
  const { id } = await createMessage(deps.as(tenantId), input);
  const open = () => app.request(`/v1/messages/${id}/events`, { headers: { authorization: `Bearer ${apiKey}` } });
  const gone = await open();
  expect(hub.stats.watchers).toBe(before + 1);
  await gone.body?.cancel();
  expect(hub.stats.watchers).toBe(before);
  const staying = await open();
  await hub.close();
  expect(await staying.text()).toContain('event: message');
  await sql`SELECT 1`.execute(deps.db.across);
});
