import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ClaimedBatch, claimBatch, expireLease } from '#db/delivery/claim-batch.ts';
import { markSlice } from '#db/delivery/mark-slice.ts';
import { resolveDoubt } from '#db/delivery/resolve-doubt.ts';
import { settleSlice } from '#db/delivery/settle-slice.ts';
import { DOUBT_WINDOW_MS } from '#domain/delivery/delivery.ts';
import { unpackRef } from '#domain/delivery/refs.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { MessageView } from '#schemas/views.ts';
import { deliverBatch } from '#services/delivery/deliver-batch.ts';
import { recordReceipts } from '#services/receipts/record-receipts.ts';
import { stopEverything } from '#services/messages/stop-everything.ts';
import { stopMessage } from '#services/messages/stop-message.ts';
import { sweep } from '#services/upkeep/sweep.ts';
import { Bench, carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

/** One test a guard: `mutants.ts` takes each guard away and expects its test to fail. */
let deps: TestDeps;
let owner: pg.Pool;
beforeAll(async () => {
  deps = await createTestDeps();
  owner = new pg.Pool({ connectionString: deps.databaseUrl, max: 1 });
});
afterAll(async () => {
  await owner.end();
  await deps.close();
});
// A claim takes whatever is due in its lane: nothing of one test may be left to the next.
afterEach(() => owner.query(`UPDATE batches SET state = 'done', lease_until = NULL, claimed_by = NULL`));

interface Claimed {
  readonly bench: Bench;
  readonly message: MessageView;
  readonly messageId: string;
  readonly batch: ClaimedBatch;
}

const claim = async (messageClass: MessageClass): Promise<ClaimedBatch> => {
  const batch = await claimBatch(deps.db.across, messageClass, 'test');
  if (!batch) throw new Error('a batch is due');
  return batch;
};

/** A launched message of a few people, its one batch claimed and nobody marked. */
async function claimed(messageClass: MessageClass, people = 4, extra: Record<string, unknown> = {}): Promise<Claimed> {
  const bench = await Bench.open(deps);
  await bench.people(people, { phone: true });
  const message = await bench.launch(messageClass, { channels: ['sms'], ...extra });
  await bench.plan();
  return { bench, message, messageId: bench.ctx.ids.decode('msg', message.id) ?? '', batch: await claim(messageClass) };
}

const all = (batch: ClaimedBatch) => ({ ids: batch.ids, markedTo: batch.ids.length });
const mark = (batch: ClaimedBatch) => markSlice(deps.db, batch, all(batch));
const within = <T>(batch: ClaimedBatch, work: Parameters<typeof deps.db.withTenant<T>>[1]) => deps.db.withTenant(batch.tenantId, work);
const run = (batch: ClaimedBatch, statement: ReturnType<typeof sql>) => within(batch, (tx) => statement.execute(tx));

async function states(batch: ClaimedBatch): Promise<Record<string, number>> {
  const { rows } = await within(batch, (tx) =>
    sql<{ state: string; n: number }>`SELECT state, count(*)::int AS n FROM deliveries WHERE message_id = ${batch.messageId} GROUP BY state`.execute(tx),
  );
  return Object.fromEntries(rows.map((row) => [row.state, row.n]));
}

const leasePasses = (batch: ClaimedBatch) =>
  run(batch, sql`UPDATE batches SET lease_until = now() - interval '1 s' WHERE tenant_id = ${batch.tenantId} AND id = ${batch.id}`);

const settled = (id: string, state: 'accepted' | 'failed') => ({ id, state, code: null, providerId: null, units: 0, delayMs: 0, uncounted: false });

/** The worker of this claim is gone: its lease has passed and the sweep has found it. */
async function abandoned({ batch, bench }: Claimed, { windowPassed }: { windowPassed: boolean }): Promise<void> {
  await leasePasses(batch);
  await sweep(deps);
  if (windowPassed) await bench.makeDue();
}

describe('fence', () => {
  test('fence: what an earlier claim settles changes nothing', async () => {
    const first = await claimed('life');
    expect(await mark(first.batch)).toHaveLength(4);
    await abandoned(first, { windowPassed: true });
    const second = await claim('life');
    await within(second, (tx) => resolveDoubt(tx, second));
    expect(await mark(second)).toHaveLength(4);
    const results = first.batch.ids.map((id) => settled(id, 'failed'));
    expect(await within(first.batch, (tx) => settleSlice(tx, first.batch, results))).toBe(0);
    expect(await states(second)).toEqual({ attempting: 4 });
  });

  test('fence: an earlier claim marks nobody', async () => {
    const first = await claimed('bulk');
    await abandoned(first, { windowPassed: true });
    await claim('bulk');
    expect(await mark(first.batch)).toBe('lost');
    expect(await states(first.batch)).toEqual({});
  });
});

describe('mark', () => {
  test('mark: it is committed before the carrier hears of anybody', async () => {
    const one = await claimed('bulk');
    const seen: Record<string, number>[] = [];
    const carrier = carriers(async () => {
      seen.push(await states(one.batch));
      return { kind: 'accepted', providerId: 'p', units: 1 };
    });
    await deliverBatch(one.bench.worker(carrier), one.batch);
    expect(seen).toEqual(Array.from({ length: 4 }, () => ({ attempting: 4 })));
  });

  test('mark: who is marked already is not handed out again', async () => {
    const one = await claimed('bulk');
    expect(await mark(one.batch)).toHaveLength(4);
    expect(await mark(one.batch)).toEqual([]);
  });

  test('unique key: somebody who stands in two batches is called once', async () => {
    const one = await claimed('bulk');
    await run(
      one.batch,
      sql`INSERT INTO batches (tenant_id, message_id, wave, lane, channel, sender_id, from_id, to_id, ids)
        SELECT tenant_id, message_id, wave, lane, channel, sender_id, from_id, to_id, ids FROM batches WHERE tenant_id = ${one.batch.tenantId} AND id = ${one.batch.id}`,
    );
    const carrier = carriers();
    await deliverBatch(one.bench.worker(carrier), one.batch);
    await deliverBatch(one.bench.worker(carrier), await claim('bulk'));
    expect(carrier.calls).toHaveLength(4);
  });
});

describe('lease', () => {
  test('lease: a claim whose lease has passed marks nobody', async () => {
    const one = await claimed('bulk');
    await leasePasses(one.batch);
    expect(await mark(one.batch)).toBe('lost');
    expect(await states(one.batch)).toEqual({});
  });

  test('lease: a claim that is alive is not ended by anybody', async () => {
    const one = await claimed('bulk');
    await mark(one.batch);
    expect(await within(one.batch, (tx) => expireLease(tx, one.batch.tenantId, one.batch.id, DOUBT_WINDOW_MS))).toBeUndefined();
    expect(await states(one.batch)).toEqual({ attempting: 4 });
  });

  test('lease: one that has passed is found by the sweep', async () => {
    const one = await claimed('bulk');
    await mark(one.batch);
    await leasePasses(one.batch);
    await sweep(deps);
    expect(await states(one.batch)).toEqual({ unknown: 4 });
  });
});

describe('stop', () => {
  test('stop: nobody of a stopped message is marked', async () => {
    const one = await claimed('bulk');
    await stopMessage(one.bench.ctx, one.message.id);
    expect(await mark(one.batch)).toBe('closed');
    expect(await states(one.batch)).toEqual({});
  });

  test.each([
    ['installation', { scope: 'installation' }],
    ['tenant', { scope: 'tenant' }],
    ['channel', { scope: 'channel', channel: 'sms' }],
  ] as const)('stop: nobody is marked while the %s is stopped', async (_name, scope) => {
    const one = await claimed('bulk');
    await stopEverything(one.bench.ctx, scope);
    try {
      expect(await mark(one.batch)).toEqual('paused');
      expect(await states(one.batch)).toEqual({});
    } finally {
      await stopEverything(one.bench.ctx, { ...scope, release: true });
    }
  });

  test('stop: it waits for a mark under way and counts it', async () => {
    const one = await claimed('bulk');
    const holder = await deps.db.connect();
    let marking: Promise<unknown>;
    let stopping: Promise<{ inFlight: number }>;
    try {
      await holder.query('BEGIN');
      await holder.query(`SELECT set_config('app.tenant', $1, true)`, [String(one.batch.tenantId)]);
      await holder.query('SELECT 1 FROM batches WHERE id = $1 FOR UPDATE', [one.batch.id]);
      marking = mark(one.batch);
      await expect.poll(() => waiting(holder)).toBe(1);
      let over = false;
      stopping = stopMessage(one.bench.ctx, one.message.id).finally(() => (over = true));
      await expect.poll(async () => over || (await waiting(holder)) === 2).toBe(true);
      await holder.query('COMMIT');
    } finally {
      holder.release();
    }
    expect(await marking).toHaveLength(4);
    expect(await stopping).toMatchObject({ inFlight: 4 });
  });
});

/** Sessions of this database that wait for a lock. */
async function waiting(client: { query: (text: string) => Promise<{ rows: { n: number }[] }> }): Promise<number> {
  const { rows } = await client.query(`SELECT count(DISTINCT pid)::int AS n FROM pg_locks
    WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())`);
  return rows[0]?.n ?? 0;
}

describe('doubt', () => {
  test('doubt: nobody is called again before the window for evidence has passed', async () => {
    const one = await claimed('life');
    await mark(one.batch);
    await abandoned(one, { windowPassed: false });
    const carrier = carriers();
    await deliverBatch(one.bench.worker(carrier), await claim('life'));
    expect(carrier.calls).toEqual([]);
    expect(await states(one.batch)).toEqual({ unknown: 4 });
  });

  test('doubt: a campaign calls nobody again, it lists them', async () => {
    const one = await claimed('bulk');
    await mark(one.batch);
    await abandoned(one, { windowPassed: true });
    const carrier = carriers();
    await deliverBatch(one.bench.worker(carrier), await claim('bulk'));
    expect(carrier.calls).toEqual([]);
    expect(await states(one.batch)).toEqual({ unresolved: 4 });
  });

  test('doubt: a life message calls again', async () => {
    const one = await claimed('life');
    await mark(one.batch);
    await abandoned(one, { windowPassed: true });
    const carrier = carriers();
    await deliverBatch(one.bench.worker(carrier), await claim('life'));
    expect(carrier.calls).toHaveLength(4);
  });
});

test('rank: what was delivered is never failed or merely accepted again', async () => {
  const one = await claimed('ops');
  const carrier = carriers();
  await deliverBatch(one.bench.worker(carrier), one.batch);
  const receipts = (state: 'accepted' | 'delivered' | 'failed') =>
    carrier.calls.flatMap((call) => {
      const ref = unpackRef(deps.tokens.open('receipt', call.ref) ?? { a: 0, b: 0, extra: 0xffff });
      return ref ? [{ ref, state, providerId: 'p', code: null }] : [];
    });
  for (const state of ['delivered', 'failed', 'accepted'] as const) await recordReceipts(deps, one.batch.tenantId, receipts(state));
  expect(await states(one.batch)).toEqual({ delivered: 4 });
});

describe('checked again inside the mark', () => {
  test('expiry: nobody is marked after it', async () => {
    const one = await claimed('bulk');
    await run(one.batch, sql`UPDATE messages SET expires_at = now() - interval '1 s' WHERE tenant_id = ${one.batch.tenantId} AND id = ${one.messageId}`);
    expect(await mark(one.batch)).toBe('closed');
    expect(await states(one.batch)).toEqual({});
  });

  /** What the mark answers once the launched message is changed, and whom it has marked. */
  const markedAfter = async (change: string, drill: boolean) => {
    const one = await claimed('life', 4, { drill });
    await run(one.batch, sql`UPDATE messages SET ${sql.raw(change)} WHERE tenant_id = ${one.batch.tenantId} AND id = ${one.messageId}`);
    return [await mark(one.batch), await states(one.batch)];
  };

  test('says: nobody is marked by a life message that does not say what to do', async () => {
    for (const drill of [false, true]) expect(await markedAfter(`said = said #- '{en,instruction}'`, drill)).toEqual(['guarded', {}]);
    expect(await markedAfter(`text = text || '{"de": "Wasser"}'`, false)).toEqual(['guarded', {}]);
  });

  test('says: nobody is marked by a life message that does not say until when', async () => {
    for (const drill of [false, true]) expect(await markedAfter('expires_at = NULL', drill)).toEqual(['guarded', {}]);
  });

  test('quiet hours: nobody is marked after they have begun', async () => {
    const one = await claimed('bulk');
    await run(one.batch, sql`UPDATE batches SET open_until = now() - interval '1 s' WHERE tenant_id = ${one.batch.tenantId} AND id = ${one.batch.id}`);
    expect(await mark(one.batch)).toBe('quiet');
    expect(await states(one.batch)).toEqual({});
  });

  test('suppression: who said stop after the planning is not called', async () => {
    const one = await claimed('life');
    await run(
      one.batch,
      sql`INSERT INTO suppressions (tenant_id, sender_id, address, reason, source)
        SELECT tenant_id, ${one.batch.senderId}, phone, 'opted_out', 'test' FROM recipients WHERE tenant_id = ${one.batch.tenantId} AND id = ${one.batch.ids[0]}`,
    );
    expect(await mark(one.batch)).toHaveLength(3);
    expect(await states(one.batch)).toEqual({ attempting: 3, failed: 1 });
  });

  test('consent: who withdrew it after the planning gets no campaign', async () => {
    const one = await claimed('bulk');
    await run(one.batch, sql`UPDATE recipients SET consent = '{life}' WHERE tenant_id = ${one.batch.tenantId} AND id = ${one.batch.ids[0]}`);
    expect(await mark(one.batch)).toHaveLength(3);
  });

  test('drill: nobody is marked by a live sender', async () => {
    const one = await claimed('ops', 4, { drill: true, text: { en: 'EXERCISE. Water off' } });
    const live = await within(one.batch, (tx) =>
      sql<{ id: number }>`SELECT id FROM senders WHERE tenant_id = ${one.batch.tenantId} AND channel = 'sms' AND NOT drill`.execute(tx),
    );
    expect(await mark({ ...one.batch, senderId: live.rows[0]?.id ?? 0 })).toBe('paused');
    expect(await states(one.batch)).toEqual({});
  });

  test('sender: nobody is marked by one that is stopped', async () => {
    const one = await claimed('ops');
    await run(one.batch, sql`UPDATE senders SET stopped_at = now() WHERE tenant_id = ${one.batch.tenantId} AND id = ${one.batch.senderId}`);
    expect(['paused', 'sender']).toContain(await mark(one.batch));
    expect(await states(one.batch)).toEqual({});
  });

  test('breaker: nobody is marked by a sender whose provider fails, but for a probe', async () => {
    for (const messageClass of ['life', 'ops', 'bulk'] as const) {
      const one = await claimed(messageClass);
      await run(
        one.batch,
        sql`UPDATE senders SET breaker_opened_at = now(), breaker_run = 10 WHERE tenant_id = ${one.batch.tenantId} AND id = ${one.batch.senderId}`,
      );
      expect(await mark(one.batch)).toBe('sender');
      expect(await states(one.batch)).toEqual({});
      expect(await markSlice(deps.db, one.batch, { ...all(one.batch), probe: true })).toHaveLength(4);
    }
  });
});
