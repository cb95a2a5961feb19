import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import { progressHub } from '#http/progress-hub.ts';
import { serve, type Serving } from '#http/server.ts';
import { inTenant, notifyProgress } from '#services/context.ts';
import { messageIdOf } from '#services/message-row.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import type { Io } from './io.ts';
import { run } from './run.ts';

let deps: TestDeps;
let serving: Serving;
let tenantId: number;
let env: Record<string, string>;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'muster-cli-'));
  deps = await createTestDeps({ MUSTER_DATA: folder });
  const tenant = await deps.tenant({ operator: true });
  tenantId = tenant.tenantId;
  serving = await serve(createApp(deps), { port: 0, host: '127.0.0.1' });
  env = { MUSTER_API: serving.url, MUSTER_KEY: tenant.apiKey };
});
afterAll(async () => {
  await progressHub(deps).close();
  await serving.close(1_000);
  await deps.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Ran {
  code: number;
  out: string;
  err: string;
}

async function muster(argv: string[], change: Partial<Io> = {}): Promise<Ran> {
  const ran: Ran = { code: -1, out: '', err: '' };
  ran.code = await run(argv, {
    env,
    out: (text) => {
      ran.out += text;
    },
    err: (text) => {
      ran.err += text;
    },
    stdin: Readable.from([]) as Io['stdin'],
    columns: undefined,
    ask: () => Promise.resolve(undefined),
    signal: new AbortController().signal,
    ...change,
  });
  return ran;
}

test('people are imported from a file, and bad rows are told by line and field', async () => {
  const file = join(folder, 'people.csv');
  writeFileSync(file, 'name,phone,tags\nAda,+15550100001,medic\nBob,+15550100002,medic\nEve,not-a-phone,medic\n');
  const { code, out, err } = await muster(['import', file]);
  expect([code, out]).toEqual([0, '2 created, 0 updated, 0 unchanged, 0 merged, 1 rejected\n']);
  expect(err).toMatch(/^line 4: phone: /);
  const id = /import --acknowledge (imp_\w+)\n$/.exec(err)?.[1] ?? '';

  const send = ['send', '--to', 'tag:medic', '--channels', 'sms', '--text', 'Not everybody is here', '--yes'];
  expect(await muster(send)).toMatchObject({ code: 1, err: expect.stringMatching(new RegExp(`One row of the import ${id} .*\\(409 rejected_rows\\)`)) });
  expect((await muster([...send, '--despite-rejected'])).code).toBe(0);
  expect((await muster(['import', file, '--acknowledge', id])).code).toBe(2);
  expect(await muster(['import', '--acknowledge', 'imp_1'])).toMatchObject({ code: 1, err: expect.stringContaining('404') });
  const seen = await muster(['import', '--acknowledge', id]);
  expect([seen.code, seen.out]).toEqual([0, expect.stringMatching(new RegExp(`^${id}: 1 rejected, acknowledged by key:\\d+\\n$`))]);
  expect((await muster([...send.slice(0, -2), 'All are here', '--yes'])).code).toBe(0);
});

test('everything of the organisation, one channel, or the whole installation is stopped and released', async () => {
  for (const [flags, what] of [
    [['--all'], 'all sending'],
    [['--channel', 'sms'], 'sms'],
    [['--installation'], 'the whole installation'],
  ] as const) {
    expect(await muster(['stop', ...flags])).toMatchObject({ code: 0, out: `${what}: stopped, 0 already in flight\n` });
    const held = await muster(['release', ...flags]);
    expect(held).toMatchObject({ code: 0, out: `${what}: released\n` });
  }
  expect(await muster(['release'])).toMatchObject({ code: 2, err: expect.stringContaining('say what to release') });
  expect(await muster(['stop', 'msg_1', '--all'])).toMatchObject({ code: 2 });
  expect(await muster(['stop', '--all', '--installation'])).toMatchObject({ code: 2, err: expect.stringContaining('say one of') });
  expect(await muster(['stop', '--channel', 'pigeon'])).toMatchObject({ code: 1 });
});

test('preview, send, watch, list, export and stop, end to end', async () => {
  const shown = await muster(['preview', '--to', 'tag:medic', '--channels', 'sms', '--text', 'Come to the hall']);
  expect([shown.code, shown.out]).toEqual([0, expect.stringMatching(/^2 people \(hash \S+\)\n {2}push {3}0\n {2}sms {4}2\n/)]);
  const asked = ['--to', 'tag:medic', '--channels', 'sms', '--answer', `yes=${'Coming '.repeat(8)}`, '--text', 'Come to the hall '.repeat(8)];
  expect((await muster(['preview', ...asked])).out, 'the answers are part of the SMS').toContain('2 SMS segments each (GSM-7), 4 in all');
  expect((await muster(['preview', '--to', 'tag:medic'])).out).toMatch(/^2 people/);

  const refusedToGuess = await muster(['send', '--to', 'tag:medic', '--text', 'Come to the hall']);
  expect(refusedToGuess).toMatchObject({ code: 2, err: expect.stringContaining('--yes') });

  const sent = await muster([
    'send',
    '--to',
    'tag:medic',
    '--channels',
    'sms',
    '--text',
    'Come to the hall',
    '--answer',
    'yes=Coming',
    '--counts',
    'yes',
    '--expires',
    '2h',
    '--yes',
  ]);
  expect([sent.code, sent.err]).toEqual([0, expect.stringContaining('a draft for 2 people')]);
  const id = sent.out.trim();
  expect(id).toMatch(/^msg_/);

  const listed = await muster(['list', '--state', 'live']);
  expect(listed.out).toContain(`${id}  live       ops`);

  const watched = muster(['watch', id]);
  const stopped = await muster(['stop', id]);
  expect([stopped.code, stopped.out]).toEqual([0, expect.stringMatching(/^stopped: \d+ cancelled, 0 already in flight\n$/)]);
  // No worker runs here, so the test writes the last cancellations as a worker's sweep would.
  const ctx = deps.as(tenantId);
  await inTenant(ctx, async (tx) => {
    await tx.updateTable('delivery_counts').set({ pending: '0' }).execute();
    await notifyProgress(tx, tenantId, messageIdOf(ctx, id));
  });
  const { code, out } = await watched;
  expect(code).toBe(0);
  expect(out.trim().split('\n').at(-1)).toMatch(/^stopped /);

  const csv = await muster(['export', id, 'deliveries']);
  expect([csv.code, csv.out.split('\r\n')[0]]).toEqual([
    0,
    '"recipient_id","name","channel","wave","state","attempts","code","marked_at","settled_at","provider_id","doubt"',
  ]);
});

test('a person at the terminal confirms by the number', async () => {
  const tty = { stdin: Object.assign(Readable.from([]), { isTTY: true }) as Io['stdin'] };
  const argv = ['send', '--to', 'tag:medic', '--channels', 'sms', '--text', 'Ask me', '--drill'];
  const no = await muster(argv, { ...tty, ask: () => Promise.resolve('yes') });
  expect([no.code, no.err]).toEqual([2, expect.stringContaining('not confirmed')]);
  let question = '';
  const yes = await muster(argv, {
    ...tty,
    ask: (text) => {
      question = text;
      return Promise.resolve('2');
    },
  });
  expect([yes.code, question]).toEqual([0, 'Send this EXERCISE to 2 people? Type the number to confirm: ']);
});

test('on a terminal the progress is redrawn in place', async () => {
  const draft = await muster(['send', '--to', 'tag:medic', '--channels', 'sms', '--text', 'Bar', '--draft']);
  const ctx = deps.as(tenantId);
  const ended = new AbortController();
  let drawn = '';
  const watching = muster(['watch', draft.out.trim()], {
    columns: 80,
    signal: ended.signal,
    out: (text) => {
      drawn += text;
      if (drawn.includes('stopped')) ended.abort();
    },
  });
  await progressHub(deps).watch(ctx, draft.out.trim(), { frame: () => undefined });
  await inTenant(ctx, async (tx) => {
    const id = messageIdOf(ctx, draft.out.trim());
    await tx.updateTable('messages').set({ state: 'stopped' }).where('id', '=', id).execute();
    await notifyProgress(tx, tenantId, id);
  });
  expect((await watching).code).toBe(0);
  expect(drawn).toContain('ops stopped');
  for (const line of drawn.split('\n')) expect(line.replaceAll('\u001b[3A', '').replaceAll('\u001b[K', '').replaceAll('\r', '').length).toBeLessThan(80);
});

test('refusals name the field and end with 1', async () => {
  const { code, err } = await muster(['send', '--to', 'all', '--channels', 'pigeon', '--text', 'x', '--draft']);
  expect([code, err]).toEqual([1, expect.stringMatching(/\(422 invalid_request\)\n {2}--channels \(channels/)]);
  const life = await muster(['send', '--to', 'all', '--class', 'life', '--text', 'Leave', '--draft']);
  expect(life.err).toMatch(/^muster: refused \(422 invalid_message\)\n {2}--expires \(expiresAt\): .*\n$/);
  const unknown = await muster(['watch', deps.ids.encode('msg', 999_999)]);
  expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining('(404 not_found)')]);
});

test.each([
  [['frobnicate'], 2, 'no such verb'],
  [['send', '--nope'], 2, '--nope'],
  [['stop'], 2, 'the message id is missing'],
  [['send', '--to', 'tag:', '--text', 'x', '--yes'], 2, '--to tag:'],
  [['import', '/no/such/file'], 2, 'no such file'],
  [['export', 'msg_x', 'everything'], 2, 'deliveries'],
])('%j is wrong usage', async (argv, code, words) => {
  const ran = await muster(argv);
  expect([ran.code, ran.err]).toEqual([code, expect.stringContaining(words)]);
});

test('nobody at the address is 69, no address or key is 78, and help needs neither', async () => {
  const gone = await serve(createApp(deps), { port: 0, host: '127.0.0.1' });
  await gone.close(1_000);
  expect(await muster(['list'], { env: { ...env, MUSTER_API: gone.url } })).toMatchObject({ code: 69, err: expect.stringContaining('ECONNREFUSED') });
  expect(await muster(['list'], { env: { MUSTER_DATA: folder } })).toMatchObject({ code: 78, err: expect.stringContaining('MUSTER_KEY') });
  expect(await muster(['--help'], { env: {} })).toMatchObject({ code: 0, out: expect.stringContaining('Exit codes') });
});

test('an installation started here is found by its ready.json', async () => {
  writeFileSync(join(folder, 'ready.json'), JSON.stringify({ api: `${serving.url}/v1`, apiKey: env['MUSTER_KEY'] }));
  expect((await muster(['list'], { env: { MUSTER_DATA: folder } })).code).toBe(0);
});

test('the real process prints, and ends with the code', async () => {
  const main = (argv: string[], change: Record<string, string>): Promise<{ code: number | null; out: string }> =>
    new Promise((done) => {
      const child = spawn(process.execPath, ['src/cli/main.ts', ...argv], {
        env: { PATH: process.env['PATH'], ...env, ...change },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk.toString();
      });
      child.once('close', (code) => done({ code, out }));
    });
  expect(await main(['list', '--json', '--limit', '1'], {})).toEqual({ code: 0, out: expect.stringContaining('"items"') });
  expect((await main(['list'], { MUSTER_KEY: 'mu_live_wrong' })).code).toBe(1);
  expect((await main(['list', '--nope'], {})).code).toBe(2);
});
