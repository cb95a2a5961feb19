import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ANSWER_WAYS, CHANNELS } from '#schemas/channel-facts.ts';
import { createTestDatabase, type TestDatabase } from '#testing/database.ts';
import { addChannels } from './add-channels.ts';
import { migrate } from './migrate.ts';

let database: TestDatabase;
let owner: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  owner = await connect();
});
afterAll(async () => {
  await owner.end();
  await database.drop();
});

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  return client;
}

const channels = async (): Promise<string[]> =>
  (await owner.query<{ name: string }>(`SELECT unnest(enum_range(NULL::channel))::text AS name`)).rows.map((row) => row.name);

/** As the database of a version that did not know the last channel, which no DROP can make: the label is another one. */
const forget = (channel: string) => owner.query(`ALTER TYPE channel RENAME VALUE '${channel}' TO 'gone_${channel}'`);

test('a channel that the database does not know is added, while somebody writes and reads the others', async () => {
  expect(await addChannels(owner)).toEqual([]);
  await forget('email');
  const writer = await connect();
  await writer.query('BEGIN');
  await writer.query(`SELECT set_config('app.tenant', '1', true)`);
  await writer.query(`INSERT INTO delivery_counts (message_id, wave, channel, slot, tenant_id, pending) VALUES (1, 0, 'sms', 0, 1, 1)`);
  // The writer's transaction is still open: it is waited for by nobody.
  const applied = await migrate(database.url);
  expect(applied).toEqual([]);
  await writer.query('COMMIT');
  await writer.end();
  expect(await channels()).toEqual(['push', 'sms', 'gone_email', 'email']);
  expect(new Set(await channels())).toEqual(new Set([...CHANNELS, 'gone_email']));
});

test('several processes that start at once add it once', async () => {
  await forget('push');
  const clients = await Promise.all(Array.from({ length: 4 }, connect));
  await Promise.all(clients.map(addChannels));
  await Promise.all(clients.map((client) => client.end()));
  expect((await channels()).filter((name) => name === 'push')).toEqual(['push']);
});

test('an answer may come by the page and by every channel, and by nothing else', async () => {
  const answer = (way: string, person: number) =>
    owner.query(
      `INSERT INTO answers (message_id, recipient_id, tenant_id, first_key, first_at, key, answered_at, way) VALUES (1, $1, 1, 'y', now(), 'y', now(), $2)`,
      [person, way],
    );
  await owner.query('BEGIN');
  for (const [i, way] of ANSWER_WAYS.entries()) expect((await answer(way, i)).rowCount).toBe(1);
  await expect(answer('pigeon', 99)).rejects.toThrow(/invalid input value for enum channel: "pigeon"/);
  await owner.query('ROLLBACK');
});
