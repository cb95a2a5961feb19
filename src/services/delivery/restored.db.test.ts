import { sql } from 'kysely';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '#db/database.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#db/server/embedded-postgres.ts';
import { Incarnation, placeOf } from '#db/server/incarnation.ts';
import { markSlice } from '#db/delivery/mark-slice.ts';
import { migrate } from '#db/server/migrate.ts';
import { createLog } from '#platform/log.ts';
import { exited } from '#testing/child.ts';
import { carriers } from '#testing/carriers.ts';
import { createTestDatabase } from '#testing/database.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { withClient } from '#testing/with-client.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { stopEverything } from '#services/messages/stop-everything.ts';

const log = createLog('test', 'silent');
const folders: string[] = [];
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'muster-restored-'));
  folders.push(made);
  return made;
};
afterAll(() => folders.forEach((one) => rmSync(one, { recursive: true, force: true })));

/** A process of the installation, with its memory of the database. */
function processOn(url: string, memory: Incarnation): Database {
  return openDatabase({ url, role: 'muster_api', max: 3, name: 'process', log, admit: memory.admit });
}
const stopOf = async (db: Database) => {
  const { rows } = await sql<{
    by: string | null;
    why: string | null;
  }>`SELECT stopped_by AS by, stopped_reason AS why FROM installation`.execute(db.across);
  return rows[0];
};
const RUNNING = { by: null, why: null };
const because = (why: string) => ({ by: 'restore', why });

/** Asks as a process would, on connections of its own. */
async function admitted(url: string, memory: Incarnation): Promise<Awaited<ReturnType<typeof stopOf>>> {
  const db = processOn(url, memory);
  try {
    return await stopOf(db);
  } finally {
    await db.close();
  }
}

async function beats(url: string, memory: Incarnation, times = 1): Promise<void> {
  await withClient(url, async (client) => {
    for (let i = 0; i < times; i++) await memory.beat(client);
  });
}

describe('a copy of the database, taken in the middle of a fan-out', () => {
  let deps: TestDeps;
  beforeAll(async () => {
    deps = await createTestDeps();
  });

  test('starts stopped, with its calls in doubt; after the release life goes on, and a campaign calls nobody twice', async () => {
    await admitted(deps.databaseUrl, new Incarnation(folder(), log));
    const bench = await LaneByHand.open(deps);
    await bench.people(300, { phone: true });
    const [life, bulk] = [await bench.launch('life', { channels: ['sms'] }), await bench.launch('bulk', { channels: ['sms'] })];
    await bench.plan();
    for (const lane of ['life', 'bulk'] as const) {
      const batch = await bench.claim(lane, 'dies with the old server');
      await markSlice(deps.db, batch, { ids: batch.ids.slice(0, 40), markedTo: 40 });
    }
    await deps.db.close();
    const restored = await createTestDatabase(new URL(deps.databaseUrl).pathname.slice(1));
    const db = processOn(restored.url, new Incarnation(folder(), log));
    const there = { ...deps, db } as TestDeps;
    const copy = new LaneByHand(there, { ...bench.ctx, db });
    expect(await stopOf(db)).toEqual(because('another_database'));
    const counts = async () => [(await getMessage(copy.ctx, life.id)).deliveries, (await getMessage(copy.ctx, bulk.id)).deliveries];
    expect(await counts()).toMatchObject([
      { attempting: 0, unknown: 40, pending: 260 },
      { attempting: 0, unknown: 40, pending: 260 },
    ]);
    const carrier = carriers();
    for (let i = 0; i < 3; i++) {
      for (const lane of ['life', 'bulk'] as const) await copy.work(carrier, lane);
      await copy.makeDue();
    }
    expect(carrier.calls).toEqual([]);
    await expect(copy.launch('ops')).rejects.toMatchObject({ code: 'stopped', message: expect.stringContaining('restored from a backup') });
    await stopEverything(copy.ctx, { scope: 'installation', release: true });
    expect(await stopOf(db)).toEqual(RUNNING);
    for (let i = 0; i < 3; i++) {
      await copy.makeDue();
      for (const lane of ['life', 'bulk'] as const) await copy.work(carrier, lane);
    }
    expect(carrier.calls).toHaveLength(300);
    expect(await counts()).toMatchObject([
      { accepted: 300, pending: 0, unknown: 0 },
      { unresolved: 300, accepted: 0, pending: 0, unknown: 0 },
    ]);
    expect(await getMessage(copy.ctx, bulk.id)).toMatchObject({ state: 'stopped', stoppedBy: 'restore' });
    // Numbers that were given out after the backup are in people's links.
    const later = await copy.launch('ops', { text: { en: 'After the restore' } });
    expect(Number(deps.ids.decode('msg', later.id)) - Number(deps.ids.decode('msg', bulk.id))).toBeGreaterThan(1_000_000);
    await db.close();
    await restored.drop();
  });

  test('the database that was copied goes on', async () => {
    expect(await admitted(deps.databaseUrl, new Incarnation(folder(), log))).toEqual(RUNNING);
  });
});

describe('one server', () => {
  let server: EmbeddedPostgres;
  const home = folder();
  const start = async () => {
    server = await startEmbeddedPostgres({ folder: home });
  };
  const data = () => join(server.folder, 'postgres');
  beforeAll(async () => {
    await start();
    await migrate(server.url);
  });
  afterAll(() => server.stop());

  test('a restart and a crash change nothing, for those who remember it and for those who do not', async () => {
    const memory = new Incarnation(folder(), log);
    expect(await admitted(server.url, memory)).toEqual(RUNNING);
    await beats(server.url, memory, 3);
    for (const end of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
      const ended = exited(server.process);
      server.process.kill(end);
      await ended;
      await start();
      expect(await admitted(server.url, memory)).toEqual(RUNNING);
      expect(await admitted(server.url, new Incarnation(folder(), log))).toEqual(RUNNING);
    }
  });

  test('files that were put back are noticed by whoever remembers more, also by a memory that outlived its process', async () => {
    const kept = folder();
    const memory = new Incarnation(kept, log);
    await beats(server.url, memory);
    await server.stop();
    const backup = join(folder(), 'postgres');
    cpSync(data(), backup, { recursive: true, preserveTimestamps: true });
    await start();
    await beats(server.url, memory, 2);
    await server.stop();
    // In place, so that nothing but the beat tells.
    cpSync(backup, data(), { recursive: true, preserveTimestamps: true });
    await start();
    expect(await admitted(server.url, new Incarnation(folder(), log))).toEqual(RUNNING);
    expect(await admitted(server.url, new Incarnation(kept, log))).toEqual(because('went_back'));
    await release();
    expect(await admitted(server.url, new Incarnation(kept, log))).toEqual(RUNNING);
  });

  test('a data folder that was copied elsewhere is noticed by its place', async () => {
    const place = placeOf(server.folder);
    const at = async (where: string) => {
      await withClient(server.url, (client) => new Incarnation(folder(), log).admitPlace(client, where));
      return admitted(server.url, new Incarnation(folder(), log));
    };
    expect(await at(place)).toEqual(RUNNING);
    expect(await at(place)).toEqual(RUNNING);
    const copied = folder();
    cpSync(join(data(), 'PG_VERSION'), join(copied, 'postgres', 'PG_VERSION'), { recursive: true, preserveTimestamps: true });
    expect(await at(placeOf(copied))).toEqual(because('copied_files'));
    await release();
  });

  test('a new timeline is a failover where a process that was there before says so, and else a restore', async () => {
    const witness = new Incarnation(folder(), log);
    await beats(server.url, witness);
    const promote = async () => {
      await server.stop();
      writeFileSync(join(data(), 'recovery.signal'), '');
      server = await startEmbeddedPostgres({ folder: home, settings: { restore_command: 'false' } });
      await withClient(server.url, (client) =>
        expect.poll(async () => (await client.query<{ yet: boolean }>('SELECT pg_is_in_recovery() AS yet')).rows[0]?.yet).toBe(false),
      );
    };
    await promote();
    // Whoever comes first may be new; the witness speaks a moment later.
    expect(await admitted(server.url, new Incarnation(folder(), log))).toEqual(because('new_timeline'));
    expect(await admitted(server.url, witness)).toEqual(RUNNING);
    await promote();
    expect(await admitted(server.url, witness)).toEqual(RUNNING);
    expect(await admitted(server.url, new Incarnation(folder(), log))).toEqual(RUNNING);
    await promote();
    const stranger = new Incarnation(folder(), log);
    expect(await admitted(server.url, stranger)).toEqual(because('new_timeline'));
    await beats(server.url, stranger, 2);
    expect(await admitted(server.url, stranger)).toEqual(because('new_timeline'));
    await release();
  });

  /** As a person does. */
  const release = () =>
    withClient(server.url, (client) => client.query('UPDATE installation SET stopped_at = NULL, stopped_by = NULL, stopped_reason = NULL'));
});
