import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#db/server/embedded-postgres.ts';
import { dumpSchema } from '#db/server/schema-dump.ts';
import type { MessageView, Page } from '#schemas/views.ts';
import { freePort } from '#platform/free-port.ts';
import { startSystem, type System } from '#testing/system.ts';
import { Up } from '#testing/up.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

interface Major {
  readonly major: string;
  /** Its package; undefined: the one that is installed. */
  readonly native?: string;
}

/** Brings the binaries where they are not there yet. In CI none may be missing; elsewhere there may be no network. */
const older: Major[] = ['15', '16', '17'].flatMap((major) => {
  const brought = spawnSync(process.execPath, ['src/testing/postgres-majors.mjs', major], { cwd: root, encoding: 'utf8' });
  if (brought.status === 0) return [{ major, native: brought.stdout.trim() }];
  if (process.env['CI']) throw new Error(brought.stderr);
  console.warn(`SKIPPED ALOUD: ${brought.stderr.trim()}`);
  return [];
});

/** As root too the database's user may enter it. */
function folderFor(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `muster-postgres-${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}

async function ask<T extends pg.QueryResultRow>(url: string, text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<T>(text)).rows;
  } finally {
    await client.end();
  }
}

const migrate = (databaseUrl: string) =>
  spawnSync(process.execPath, ['src/migrate-main.ts'], { cwd: root, env: { DATABASE_URL: databaseUrl }, encoding: 'utf8' });

describe.each([...older, { major: '18' }])('PostgreSQL $major', ({ major, native }) => {
  const folder = folderFor(major);
  let server: EmbeddedPostgres;
  let databaseUrl: string;
  let system: System | undefined;

  beforeAll(async () => {
    server = await startEmbeddedPostgres({ folder, settings: { fsync: 'off', shared_buffers: '64MB' }, ...(native === undefined ? {} : { native }) });
    // As docs/running-for-real.md has it: no superuser, but one who may create roles. What such a one may do is different in each major.
    await ask(server.url, `CREATE ROLE ordinary LOGIN CREATEROLE PASSWORD 'ordinary'`);
    await ask(server.url, 'CREATE DATABASE muster OWNER ordinary');
    databaseUrl = Object.assign(new URL(server.url), { username: 'ordinary', password: 'ordinary', pathname: '/muster' }).href;
  });
  afterAll(async () => {
    await system?.close();
    await server.stop();
    rmSync(server.folder, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  });

  test('npm run migrate makes the same database as on any other, and one message goes over three channels and is answered', async () => {
    expect(await ask(databaseUrl, 'SHOW server_version')).toEqual([{ server_version: expect.stringMatching(new RegExp(`^${major}[.]`)) }]);
    expect(migrate(databaseUrl)).toMatchObject({ status: 0, stdout: expect.stringContaining('0001_foundation.sql'), stderr: '' });
    expect(migrate(databaseUrl)).toMatchObject({ status: 0, stdout: expect.stringContaining('nothing to migrate') });
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    expect(await dumpSchema(client)).toBe(readFileSync(join(root, 'schemas/schema.sql'), 'utf8'));
    await client.end();
    expect(await ask(databaseUrl, `SELECT attstorage FROM pg_attribute WHERE attrelid = 'batches'::regclass AND attname = 'ids'`)).toEqual([
      { attstorage: 'e' },
    ]);

    system = await startSystem({
      databaseUrl,
      behaviour: { addresses: { '+12025550111': { answer: 'yes' } }, crowd: { delay: { medianSeconds: 0.1, spread: 0, maxSeconds: 0.1 } } },
    });
    const { call, message, calls } = system;
    const csv = 'external_id,name,phone,email\r\nphone,Person 1,+12025550111,\r\nmail,Person 2,,p2@example.test\r\nbrowser,Person 3,+12025550113,';
    expect(await call('POST', '/v1/recipients/import', csv, { 'content-type': 'text/csv' })).toMatchObject({ status: 200, body: { created: 3 } });
    const { body: people } = await call<Page<{ id: string; externalId: string }>>('GET', '/v1/recipients');
    const idOf = (externalId: string) => people.items.find((person) => person.externalId === externalId)?.id;
    const [browser] = await system.simulator.subscriptions(1);
    expect((await call('POST', `/v1/recipients/${idOf('browser')}/push-subscriptions`, browser)).status).toBe(201);

    const launched = await call<MessageView>('POST', '/v1/messages', {
      class: 'ops',
      text: { en: 'Sandbags needed. Can you come?' },
      audience: { all: true },
      channels: ['push', 'sms', 'email'],
      answers: [
        { key: 'yes', label: 'I come', counts: true },
        { key: 'no', label: 'Not today' },
      ],
      launch: true,
    });
    expect(launched.status).toBe(201);
    const done = await message<MessageView>(launched.body.id, (view) => view.state === 'completed' && view.answers['yes'] === 1);
    expect(done.audience.count).toBe(3);
    expect(done.answers).toEqual({ yes: 1, no: 0, none: 2 });
    const { body: answers } = await call<Page<{ key: string; way: string; recipientId: string }>>('GET', `/v1/messages/${done.id}/answers`);
    expect(answers.items).toMatchObject([{ key: 'yes', way: 'page', recipientId: idOf('phone') }]);
    expect(calls().map((one) => `${one.channel} ${one.channel === 'push' ? '' : one.to} ${one.outcome}`)).toEqual(
      expect.arrayContaining(['sms +12025550111 accepted', 'email p2@example.test accepted', 'push  accepted']),
    );
    expect(calls()).toHaveLength(3);
  });
});

test.each(older.slice(-1))('files of PostgreSQL $major are no data folder for npm run up, which says so and leaves them', async ({ major, native }) => {
  const folder = folderFor(`files-${major}`);
  const settings = { fsync: 'off' };
  const own = native === undefined ? {} : { native };
  const made = await startEmbeddedPostgres({ folder, settings, ...own });
  await ask(made.url, 'CREATE TABLE kept AS SELECT 7 AS n');
  await made.stop();
  const up = new Up(folder, await freePort(), await freePort());
  const code = await new Promise((ended) => up.child.once('close', ended));
  expect(code, up.output).toBe(78);
  expect(up.output).toContain(`was made by PostgreSQL ${major}, and this version of Muster brings PostgreSQL 18`);
  const again = await startEmbeddedPostgres({ folder, settings, ...own });
  expect(await ask(again.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
  await again.stop();
  for (const one of [made.folder, folder]) rmSync(one, { recursive: true, force: true });
});
