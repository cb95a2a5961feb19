import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEmbeddedPostgres } from '#db/server/embedded-postgres.ts';
import { DATABASE_FILE } from '#platform/ready.ts';
import type { MessageView, Page } from '#schemas/views.ts';
import { freePort } from '#testing/system.ts';
import { killPart, processesOf, type Ready, Up } from '#testing/up.ts';

describe('npm run up', () => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-up-'));
  chmodSync(folder, 0o755);
  let up: Up;
  let ready: Ready;
  let port = 0;
  let simulatorPort = 0;
  beforeAll(async () => {
    port = await freePort();
    simulatorPort = await freePort();
    up = new Up(folder, port, simulatorPort);
    ready = await up.ready();
  });
  afterAll(async () => {
    await up.end();
    rmSync(folder, { recursive: true, force: true });
  });

  const api = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await request(`${ready.api}${path}`, {
      method,
      headers: { authorization: `Bearer ${ready.apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await answer.body.json()) as T;
  };
  const works = () =>
    request(`${ready.console}/readyz`).then(
      async ({ statusCode, body }) => (await body.dump(), statusCode),
      () => 0,
    );

  test('prints and writes where it listens and how to sign in', async () => {
    expect(ready).toEqual({
      console: `http://127.0.0.1:${port}`,
      api: `http://127.0.0.1:${port}/v1`,
      apiKey: expect.stringMatching(/^mu_test_/),
      simulator: `http://127.0.0.1:${simulatorPort}`,
    });
    expect(JSON.parse(readFileSync(join(folder, 'ready.json'), 'utf8'))).toEqual(ready);
    expect(JSON.parse(readFileSync(join(folder, DATABASE_FILE), 'utf8'))).toEqual({ url: expect.stringMatching(/^postgres/) });
    expect(statSync(join(folder, DATABASE_FILE)).mode & 0o077).toBe(0);
    expect(up.output).not.toContain('postgres://');
    expect(up.output.trimEnd().split('\n').at(-1)).toMatch(/^READY /);
    expect(up.output).toMatch(/sign in as \S+@\S+ with password \S+/);
  });

  test.each([
    ['src/main.ts', 'api'],
    ['workers/main.ts', 'worker'],
    ['simulator/main.ts', 'simulator'],
    ['bin/postgres', 'postgres'],
  ])('starts %s again when it is killed, and a message still reaches everybody', async (part, name) => {
    killPart(folder, part);
    await expect.poll(() => up.output, { timeout: 30_000 }).toMatch(new RegExp(`${name} ended \\((SIGKILL|code \\d+)\\); starting it again`));
    await expect.poll(() => processesOf(folder).filter(({ command }) => command.includes(part)).length, { timeout: 30_000 }).toBeGreaterThan(0);
    await expect.poll(works, { timeout: 30_000 }).toBe(200);
    // Readiness is asked of the database once a second at most, so it may be a second old: a refused post is repeated, as its answer says.
    let message: Partial<MessageView> = {};
    await expect
      .poll(
        async () =>
          (message = await api<MessageView>('POST', '/messages', {
            class: 'ops',
            text: { en: `After ${part} was killed` },
            audience: { tags: ['north'] },
            launch: true,
          })).id,
        { timeout: 30_000, interval: 250 },
      )
      .toBeDefined();
    await expect.poll(async () => (await api<MessageView>('GET', `/messages/${message.id}`)).state, { timeout: 40_000, interval: 250 }).toBe('completed');
  });

  test('ends within 10 s, leaves no process behind, and a second run finds its data again', async () => {
    const before = await api<Page<MessageView>>('GET', '/messages');
    const { code, ms } = await up.end();
    expect(code).toBe(0);
    expect(ms).toBeLessThan(10_000);
    expect(processesOf(folder)).toEqual([]);
    up = new Up(folder, port, simulatorPort);
    const again = await up.ready();
    expect(again).toEqual(ready);
    expect((await api<Page<MessageView>>('GET', '/messages')).items.map((m) => m.id)).toEqual(before.items.map((m) => m.id));
  });

  test('refuses a second installation on the same folder, and bad settings, naming the variable', async () => {
    const second = new Up(folder, await freePort(), await freePort());
    await new Promise((done) => second.child.once('exit', done));
    expect(second.child.exitCode).toBe(78);
    expect(second.output).toMatch(/^MUSTER_DATA: .* is in use/);
    const wrong = new Up(join(folder, 'other'), 1, 2, { PORT: 'http' });
    await new Promise((done) => wrong.child.once('exit', done));
    expect(wrong.child.exitCode).toBe(78);
    expect(wrong.output).toMatch(/^PORT: /);
  });
});

test.runIf(process.getuid?.() === 0)('as root, a folder that the database user cannot enter: the data goes elsewhere, and it is said where', async () => {
  const closed = mkdtempSync(join(tmpdir(), 'muster-closed-'));
  const notices: string[] = [];
  const postgres = await startEmbeddedPostgres({ folder: join(closed, 'data'), onNotice: (line) => notices.push(line) });
  try {
    expect(postgres.folder).not.toContain(closed);
    expect(notices.join()).toContain(postgres.folder);
    expect(existsSync(join(postgres.folder, 'postgres', 'PG_VERSION'))).toBe(true);
  } finally {
    await postgres.stop();
    rmSync(postgres.folder, { recursive: true, force: true });
    rmSync(closed, { recursive: true, force: true });
  }
});
