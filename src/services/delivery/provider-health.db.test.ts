import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '#domain/delivery/outcome.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import type { NewSender } from '#services/organisations/create-tenant.ts';
import { type CarrierCall, type Carriers, carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { deliverBatch } from './deliver-batch.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { listSenders, releaseSender } from '#services/organisations/senders.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const ONE: NewSender = { channel: 'sms', name: 'First', address: '+15550002001' };
const TWO: NewSender = { channel: 'sms', name: 'Second', address: '+15550002002', account: 2 };

/** A tenant with these senders and nothing else. */
async function benchWith(...senders: NewSender[]): Promise<LaneByHand> {
  const { tenantId } = await deps.tenant({ senders, policy: OPEN_POLICY });
  return new LaneByHand(deps, deps.as(tenantId));
}

const ACCEPTED: Outcome = { kind: 'accepted', providerId: 'p', units: 1 };
const REFUSED: Outcome = { kind: 'retryable', code: 'ECONNREFUSED' };
const SILENT: Outcome = { kind: 'unknown', code: 'DEADLINE' };
const WRONG: Outcome = { kind: 'misconfigured', code: '20003', detail: 'The SMS provider refuses this account or sender (code 20003).' };

/** Carriers whose accounts can be made ill and well again. */
class Ward {
  readonly carriers: Carriers;
  readonly says: Record<number, Outcome> = { 1: ACCEPTED, 2: ACCEPTED };

  constructor(ill: Record<number, Outcome> = {}) {
    Object.assign(this.says, ill);
    this.carriers = carriers((call) => this.says[call.account] ?? ACCEPTED);
  }

  get calls(): readonly CarrierCall[] {
    return this.carriers.calls;
  }

  by(account: number): number {
    return this.calls.filter((call) => call.account === account).length;
  }
}

const sms = { channels: ['sms'] };
const statesOf = async (bench: LaneByHand, id: string) => (await getMessage(bench.ctx, id)).deliveries;
const inTenant = <T>(bench: LaneByHand, query: (tenantId: number) => ReturnType<typeof sql<T>>) => bench.run(query(bench.ctx.tenantId));
const senderNames = async (bench: LaneByHand) => new Map((await listSenders(bench.ctx)).map((sender) => [sender.name, sender]));

describe('a provider that fails', () => {
  test('is left alone: a campaign waits, a few people ask, and it goes on by itself', async () => {
    const bench = await benchWith(ONE);
    await bench.people(2_000, { phone: true });
    const ward = new Ward({ 1: SILENT });
    const message = await bench.launch('bulk', sms);
    await bench.work(ward.carriers, 'bulk');
    // One batch was under way when the first slice's outcomes came.
    expect(ward.calls.length).toBeLessThanOrEqual(250);
    const asked = ward.calls.length;
    await bench.work(ward.carriers, 'bulk');
    expect(ward.calls, 'nobody is called until a probe is due').toHaveLength(asked);
    const waiting = await inTenant(
      bench,
      (tenantId) =>
        sql<{ n: number }>`SELECT count(*)::int AS n FROM batches WHERE tenant_id = ${tenantId} AND state = 'planned' AND due_at <= now()`,
    );
    expect(waiting[0]?.n, 'and no batch is claimed again and again meanwhile').toBe(0);

    await bench.makeDue();
    await bench.work(ward.carriers, 'bulk');
    expect(ward.calls, 'three people ask').toHaveLength(asked + 3);

    ward.says[1] = ACCEPTED;
    await bench.makeDue();
    await bench.work(ward.carriers, 'bulk');
    expect(await statesOf(bench, message.id), 'the rest follows at once').toMatchObject({
      accepted: 2_000 - asked - 3,
      unresolved: asked + 3,
      pending: 0,
    });
  });

  test('refusing a probe costs nobody an attempt', async () => {
    const bench = await benchWith(ONE);
    await bench.people(12, { phone: true });
    const ward = new Ward({ 1: REFUSED });
    const message = await bench.launch('ops', sms);
    for (let i = 0; i < 20; i++) {
      await bench.work(ward.carriers, 'ops');
      await bench.makeDue();
    }
    expect(await statesOf(bench, message.id)).toMatchObject({ pending: 12, failed: 0 });
    ward.says[1] = ACCEPTED;
    await bench.work(ward.carriers, 'ops');
    expect(await statesOf(bench, message.id)).toMatchObject({ accepted: 12 });
  });

  test('does not hold life while half of the calls go through', async () => {
    const bench = await benchWith(ONE);
    await bench.people(900, { phone: true });
    const half = carriers((_call, n) => (n % 2 === 0 ? ACCEPTED : SILENT));
    const campaign = await bench.launch('bulk', sms);
    await bench.work(half, 'bulk');
    expect((await statesOf(bench, campaign.id)).pending).toBeGreaterThan(0);
    const alert = await bench.launch('life', sms);
    await bench.work(half, 'life');
    expect(await statesOf(bench, alert.id)).toMatchObject({ pending: 0, accepted: 450, unknown: 450 });
  });

  test('a probe whose worker died is given up after its lease, and another one asks', async () => {
    const bench = await benchWith(ONE);
    await bench.people(600, { phone: true });
    const ward = new Ward({ 1: SILENT });
    await bench.launch('bulk', sms);
    await bench.work(ward.carriers, 'bulk');
    await bench.makeDue();
    const probes = (): Promise<{ s: number }[]> =>
      inTenant(
        bench,
        (tenantId) =>
          sql<{ s: number }>`SELECT extract(epoch FROM breaker_probe_at - now())::float8 AS s FROM senders WHERE tenant_id = ${tenantId}`,
      );
    const worker = bench.worker({
      ...ward.carriers,
      channels: {
        ...ward.carriers.channels,
        sms: { ...ward.carriers.channels.sms, prepare: () => ({ send: () => new Promise(() => undefined) }) },
      },
    });
    const leased = () => expect.poll(async () => (await probes())[0]?.s ?? 0, { timeout: 10_000 }).toBeGreaterThan(6);
    // The oldest may hold those in doubt alone, of whom a campaign calls nobody: then it gives the probe back.
    const ended = deliverBatch(worker, await bench.claim('bulk', 'dies')).then(() => true);
    if (await Promise.race([ended, leased().then(() => false)])) {
      void deliverBatch(worker, await bench.claim('bulk', 'dies'));
      await leased();
    }
    expect((await probes())[0]?.s).toBeLessThanOrEqual(10);
  });
});

describe('a second account', () => {
  test('takes life over at once; campaigns wait for the first', async () => {
    const bench = await benchWith(ONE, TWO);
    await bench.people(600, { phone: true });
    const ward = new Ward({ 1: REFUSED });
    const campaign = await bench.launch('bulk', sms);
    await bench.work(ward.carriers, 'bulk');
    const alert = await bench.launch('life', sms);
    await bench.work(ward.carriers, 'life');
    expect(await statesOf(bench, alert.id)).toMatchObject({ accepted: 600 });
    expect(ward.by(2)).toBe(600);
    expect((await statesOf(bench, campaign.id)).accepted).toBe(0);
  });

  test('takes over life that was planned while the first was well', async () => {
    const bench = await benchWith(ONE, TWO);
    await bench.people(1_000, { phone: true });
    const ward = new Ward({ 1: REFUSED });
    const alert = await bench.launch('life', sms);
    await bench.work(ward.carriers, 'life');
    // The first batch met the failure; its people wait for their second attempt, the others have it.
    const failed = ward.by(1);
    expect(failed).toBeLessThanOrEqual(500);
    expect(await statesOf(bench, alert.id)).toMatchObject({ accepted: 1_000 - failed, pending: failed });
    await bench.makeDue();
    await bench.work(ward.carriers, 'life');
    expect(await statesOf(bench, alert.id)).toMatchObject({ accepted: 1_000 });
    const [row] = await inTenant(
      bench,
      (tenantId) => sql<{ accounts: number[] }>`
      SELECT array_agg(DISTINCT s.account) AS accounts FROM deliveries d JOIN senders s ON s.tenant_id = d.tenant_id AND s.id = d.sender_id WHERE d.tenant_id = ${tenantId}`,
    );
    expect(row?.accounts, 'each delivery names who sent it').toEqual([2]);
  });

  test('is the first to send again after doubt, for life alone', async () => {
    const bench = await benchWith(ONE, TWO);
    await bench.people(6, { phone: true });
    const silentFor = new Set<string>();
    const some = carriers((call) => {
      if (call.account !== 1 || silentFor.size >= 2) return ACCEPTED;
      silentFor.add(call.address);
      return SILENT;
    });
    const alert = await bench.launch('life', sms);
    await bench.work(some, 'life');
    expect(await statesOf(bench, alert.id)).toMatchObject({ accepted: 4, unknown: 2 });
    await bench.makeDue();
    await bench.work(some, 'life');
    expect(await statesOf(bench, alert.id)).toMatchObject({ accepted: 6 });
    const second = some.calls.slice(6);
    expect(second.map((call) => call.account)).toEqual([2, 2]);
    expect(new Set(second.map((call) => call.address))).toEqual(silentFor);

    silentFor.clear();
    const notice = await bench.launch('ops', sms);
    await bench.work(some, 'ops');
    await bench.makeDue();
    await bench.work(some, 'ops');
    expect(await statesOf(bench, notice.id)).toMatchObject({ accepted: 6 });
    expect(some.calls.slice(8).every((call) => call.account === 1)).toBe(true);
  });

  test('is chosen for what is planned while the first fails, and never a simulated one for a real one', async () => {
    const bench = await benchWith(ONE, { ...TWO, address: '+15550002009', simulated: true, account: 1 }, TWO);
    await bench.people(20, { phone: true });
    const ward = new Ward({ 1: REFUSED });
    await bench.launch('ops', sms);
    await bench.work(ward.carriers, 'ops');
    const next = await bench.launch('bulk', sms);
    await bench.work(ward.carriers, 'bulk');
    expect(await statesOf(bench, next.id)).toMatchObject({ accepted: 20 });
    expect(ward.by(2)).toBe(20);
  });
});

describe('a sender that works again', () => {
  test.each(['bulk', 'life'] as const)(
    'is found out by three people of a %s message that goes by the other, and is used from then on',
    async (messageClass) => {
      const bench = await benchWith(ONE, TWO);
      await bench.people(40, { phone: true });
      const ward = new Ward({ 1: SILENT });
      await bench.launch('ops', sms);
      await bench.work(ward.carriers, 'ops');
      const failed = ward.by(1);
      // Nothing waits for the first; it is due to be asked, for life since long.
      const due = (ago: string) =>
        inTenant(
          bench,
          (tenantId) => sql`UPDATE senders SET breaker_probe_at = now() - ${ago}::interval WHERE tenant_id = ${tenantId} AND account = 1`,
        );
      await due('1 second');
      const early = await bench.launch(messageClass, sms);
      await bench.work(ward.carriers, messageClass);
      expect(ward.by(1) - failed).toBe(messageClass === 'life' ? 0 : 3);
      expect((await statesOf(bench, early.id)).accepted).toBe(messageClass === 'life' ? 40 : 37);

      ward.says[1] = ACCEPTED;
      await due('6 minutes');
      const asked = ward.by(1);
      const later = await bench.launch(messageClass, sms);
      await bench.work(ward.carriers, messageClass);
      expect(ward.by(1) - asked).toBe(3);
      expect((await statesOf(bench, later.id)).accepted).toBe(40);
      expect((await senderNames(bench)).get('First')?.failing).toBeNull();
      const next = await bench.launch(messageClass, sms);
      await bench.work(ward.carriers, messageClass);
      expect(ward.by(1) - asked).toBe(43);
      expect((await statesOf(bench, next.id)).accepted).toBe(40);
    },
  );
});

describe('opt-outs', () => {
  const optOut = (bench: LaneByHand, name: string, n: number) =>
    inTenant(
      bench,
      (tenantId) => sql`
      INSERT INTO suppressions (tenant_id, sender_id, address, reason, source)
      SELECT ${tenantId}, s.id, r.phone, 'opted_out', 'sms' FROM senders s, recipients r
      WHERE s.tenant_id = ${tenantId} AND s.name = ${name} AND r.tenant_id = ${tenantId} AND r.name = ${`Person ${n}`}`,
    );

  test('hold on the sender that stands in too, for all but life', async () => {
    const bench = await benchWith(ONE, TWO);
    await bench.people(20, { phone: true });
    const ward = new Ward({ 1: REFUSED });
    await bench.launch('ops', sms);
    await bench.work(ward.carriers, 'ops');
    await optOut(bench, 'First', 1);
    const planned = await bench.launch('bulk', sms);
    await bench.plan();
    // After the planning too: a campaign may wait for hours.
    await optOut(bench, 'First', 2);
    await bench.work(ward.carriers, 'bulk');
    expect(await statesOf(bench, planned.id)).toMatchObject({ accepted: 18, failed: 2 });
    const codes = await inTenant(
      bench,
      (tenantId) => sql<{ code: string }>`SELECT code FROM deliveries WHERE tenant_id = ${tenantId} AND state = 'failed'`,
    );
    expect(codes.map((row) => row.code)).toEqual(['suppressed', 'suppressed']);
  });

  test('of a stand-in alone make nobody miss a life message: he has it from the first again', async () => {
    const bench = await benchWith(ONE, TWO);
    await bench.people(20, { phone: true });
    const ward = new Ward({ 1: REFUSED });
    await optOut(bench, 'Second', 3);
    const alert = await bench.launch('life', sms);
    await bench.work(ward.carriers, 'life');
    for (let i = 0; i < 4; i++) {
      await bench.makeDue();
      await bench.work(ward.carriers, 'life');
    }
    expect(await statesOf(bench, alert.id)).toMatchObject({ accepted: 19, pending: 1 });
    ward.says[1] = ACCEPTED;
    await inTenant(bench, (tenantId) => sql`UPDATE senders SET breaker_opened_at = NULL, breaker_run = 0 WHERE tenant_id = ${tenantId}`);
    await bench.makeDue();
    await bench.work(ward.carriers, 'life');
    expect(await statesOf(bench, alert.id)).toMatchObject({ accepted: 20 });
    expect(ward.calls.at(-1)?.account).toBe(1);
  });

  test('of the sender that a life message was planned for are obeyed', async () => {
    const bench = await benchWith(ONE, TWO);
    await bench.people(5, { phone: true });
    await optOut(bench, 'First', 1);
    const ward = new Ward();
    const alert = await bench.launch('life', sms);
    await bench.work(ward.carriers, 'life');
    expect(await statesOf(bench, alert.id)).toMatchObject({ accepted: 4, failed: 1 });
  });
});

describe('refused credentials', () => {
  test('stop the sender with the reason, on record and without suppressing anybody; life goes on by another one', async () => {
    const bench = await benchWith(ONE, TWO);
    await bench.people(400, { phone: true });
    const ward = new Ward({ 1: WRONG });
    const campaign = await bench.launch('bulk', sms);
    await bench.work(ward.carriers, 'bulk');
    expect(await statesOf(bench, campaign.id)).toMatchObject({ pending: 400, failed: 0 });
    expect((await senderNames(bench)).get('First')).toMatchObject({
      stoppedAt: expect.any(String),
      stoppedReason: expect.stringContaining('20003'),
    });
    const [facts] = await inTenant(
      bench,
      (tenantId) => sql<{ audits: number; suppressions: number }>`
      SELECT (SELECT count(*)::int FROM audit_log WHERE tenant_id = ${tenantId} AND action = 'sender.stop' AND actor = 'system') AS audits,
        (SELECT count(*)::int FROM suppressions WHERE tenant_id = ${tenantId}) AS suppressions`,
    );
    expect(facts).toEqual({ audits: 1, suppressions: 0 });

    const alert = await bench.launch('life', sms);
    await bench.work(ward.carriers, 'life');
    expect(await statesOf(bench, alert.id)).toMatchObject({ accepted: 400 });

    ward.says[1] = ACCEPTED;
    const id = (await senderNames(bench)).get('First')?.id ?? '';
    await releaseSender(bench.ctx, id);
    await bench.makeDue();
    await bench.work(ward.carriers, 'bulk');
    expect(await statesOf(bench, campaign.id), 'released, what waited goes out by the sender it was planned for').toMatchObject({
      accepted: 400,
    });
    expect((await senderNames(bench)).get('First')).toMatchObject({ stoppedAt: null, stoppedReason: null });
  });
});
