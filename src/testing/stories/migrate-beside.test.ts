import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate } from '#db/server/migrate.ts';
import { MIGRATIONS, readMigrations } from '#db/server/migration-files.ts';
import { DELIVERY_STATES } from '#schemas/delivery.ts';
import type { MessageView } from '#schemas/views.ts';
import { migrateAll } from '#src/migrate.ts';
import { createEmptyDatabase, type TestDatabase } from '#testing/database.ts';
import { firstFoundation, migrationFolder } from '#testing/migration-folder.ts';
import { endChild } from '#testing/child.ts';
import { startSystem, type System } from '#testing/system.ts';

const PEOPLE = 2_000;
const files = await readMigrations(MIGRATIONS);
const present = Object.fromEntries(files.map(({ name, text }) => [name, text]));

/** One step of each kind that a later version may bring, on the tables that sending writes to all the time. */
const STEPS = [
  ...['messages', 'waves', 'batches', 'deliveries', 'delivery_counts', 'senders', 'recipients', 'tenants', 'installation', 'incarnation'].map(
    (table) => `ALTER TABLE ${table} ADD COLUMN colour text NOT NULL DEFAULT 'none';`,
  ),
  'ALTER TABLE recipients ADD CONSTRAINT recipients_colour CHECK (length(colour) < 20) NOT VALID;',
  'ALTER TABLE recipients VALIDATE CONSTRAINT recipients_colour;',
  '-- outside a transaction\nCREATE INDEX CONCURRENTLY batches_colour ON batches (tenant_id, colour);',
  '-- outside a transaction\nCREATE INDEX CONCURRENTLY recipients_colour_index ON recipients (tenant_id, colour);',
];
const later = Object.fromEntries(STEPS.map((text, i) => [`${String(files.length + 1 + i).padStart(4, '0')}_later.sql`, text]));

let database: TestDatabase;
let system: System;
beforeAll(async () => {
  database = await createEmptyDatabase();
  const first = { ...present, '0001_foundation.sql': firstFoundation(present['0001_foundation.sql'] ?? '') };
  await migrate(database.url, { folder: migrationFolder(first) });
  await migrateAll(database.url);
  system = await startSystem({
    databaseUrl: database.url,
    workers: 2,
    tenant: { senders: [{ channel: 'sms', name: 'SMS', address: '+12025550100', unitsPerSecond: 500 }] },
  });
  const rows = Array.from({ length: PEOPLE }, (_, i) => `p${i},Person ${i},+1202${String(2_000_000 + i)},life;ops;bulk`);
  const imported = await system.call('POST', '/v1/recipients/import', ['external_id,name,phone,consent', ...rows].join('\r\n'), { 'content-type': 'text/csv' });
  expect(imported).toMatchObject({ status: 200, body: { created: PEOPLE } });
});
afterAll(async () => {
  await system.close();
  await database.drop();
});

const called = (view: MessageView): number => view.deliveries.accepted + view.deliveries.delivered;

test('workers and API of the version before send on while a new one migrates, and beside the new one afterwards', async () => {
  const { call, message } = system;
  const launched = await call<MessageView>('POST', '/v1/messages', {
    class: 'bulk',
    text: { en: 'Doors open at six' },
    audience: { all: true },
    channels: ['sms'],
    launch: true,
  });
  expect(launched.status).toBe(201);
  const { id } = launched.body;
  await message<MessageView>(id, (view) => called(view) > 100);

  const command = spawn(process.execPath, [fileURLToPath(new URL('../../migrate-main.ts', import.meta.url))], {
    env: { DATABASE_URL: database.url },
    stdio: 'ignore',
  });
  expect(await new Promise((done) => command.once('exit', done))).toBe(0);
  expect(await migrate(database.url, { folder: migrationFolder({ ...present, ...later }) })).toEqual(Object.keys(later));
  const during = await message<MessageView>(id, () => true);
  expect(called(during)).toBeLessThan(PEOPLE);

  // One worker after the other, as in a rolling restart.
  const [leaving] = system.workers.splice(0, 1);
  system.startWorker();
  if (leaving) await endChild(leaving);
  const more = await call<MessageView>('POST', '/v1/messages', {
    class: 'ops',
    text: { en: 'Come' },
    audience: { all: true },
    channels: ['sms'],
    launch: true,
  });
  expect(more.status).toBe(201);

  for (const one of [id, more.body.id]) {
    const done = await message<MessageView>(one, (view) => view.state === 'completed');
    const states = Object.fromEntries(DELIVERY_STATES.map((state) => [state, 0]));
    expect({ ...done.deliveries, accepted: called(done), delivered: 0 }).toMatchObject({ ...states, accepted: PEOPLE });
  }
  const texts = system.calls();
  expect(texts).toHaveLength(2 * PEOPLE);
  expect(new Set(texts.map(({ to, body }) => `${to} ${body?.includes('Doors')}`)).size).toBe(2 * PEOPLE);
  expect(system.logs()).not.toMatch(/"level":(50|60)/);
});
