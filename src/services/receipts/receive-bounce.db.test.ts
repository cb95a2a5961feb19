import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BounceIntake, startBounceIntake } from '#channels/email/bounce-intake.ts';
import { SmtpPool } from '#channels/email/pool.ts';
import { returnedOf } from '#channels/email/report.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { DSN_SAMPLES, feedback } from '#testing/bounces/dsn-samples.ts';
import { PLAIN_SAMPLES } from '#testing/bounces/plain-samples.ts';
import { dsn, plain, REF } from '#testing/bounces/sample.ts';
import { carriers } from '#testing/carriers.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { isOurReturnPath, receiveBounce } from './receive-bounce.ts';

// The whole way: a mail server hands a mail to our door, and the coordinator sees what came of it.

let deps: TestDeps;
let intake: BounceIntake;
let relay: SmtpPool;
beforeAll(async () => {
  deps = await createTestDeps();
  intake = await startBounceIntake({
    port: 0,
    host: '127.0.0.1',
    accepts: (ref) => isOurReturnPath(deps, ref),
    onBounce: async (ref, report) => {
      const returned = returnedOf(report);
      if (returned) await receiveBounce(deps, ref, returned);
    },
    log: deps.log,
  });
  relay = new SmtpPool({
    connection: { host: '127.0.0.1', port: intake.port, ignoreTLS: true },
    credentials: undefined,
    size: 2,
    deadlineMs: 10_000,
  });
});
afterAll(async () => {
  relay.close();
  await intake.close();
  await deps.close();
});

/** As a relay does that had our mail with this reference. */
const bounce = async (ref: string, mail: string, to = `bounce+${ref}@bounces.example.org`): Promise<string | number> => {
  const result = await relay.send({ from: '', to, message: mail.replaceAll(REF, ref) });
  return typeof result === 'string' ? result.slice(0, 3) : result.reply;
};

async function sent(people: number) {
  const bench = await LaneByHand.open(deps);
  await bench.people(people, { email: true });
  const message = await bench.launch('ops', { channels: ['email'] });
  const carrier = carriers();
  await bench.work(carrier, 'ops');
  expect(carrier.calls).toHaveLength(people);
  const { tenantId } = bench.ctx;
  const read = () =>
    deps.db.withTenant(tenantId, async (tx) => {
      const deliveries = await tx
        .selectFrom('deliveries')
        .innerJoin('recipients', 'recipients.id', 'deliveries.recipient_id')
        .select(['recipients.email', 'deliveries.state', 'deliveries.code'])
        .where('deliveries.tenant_id', '=', tenantId)
        .execute();
      const suppressions = await tx
        .selectFrom('suppressions')
        .select(['address', 'reason', 'source'])
        .where('tenant_id', '=', tenantId)
        .execute();
      const reasons = new Map(suppressions.map(({ address, reason }) => [address, reason]));
      return new Map(deliveries.map(({ email, state, code }) => [email, { state, code, suppressed: reasons.get(email ?? '') ?? null }]));
    });
  return { bench, calls: carrier.calls, view: () => getMessage(bench.ctx, message.id), read };
}

const first = <T>(list: readonly T[]): T => {
  const [one] = list;
  if (one === undefined) throw new Error('nobody was called');
  return one;
};

test('of every bounce in the table, what it says is at its delivery, and what nobody can read is at the message', async () => {
  const samples = [...Object.values(DSN_SAMPLES), ...Object.values(PLAIN_SAMPLES)].flat();
  const { calls, read, view } = await sent(samples.length);
  for (const [i, { mail }] of samples.entries()) expect(await bounce(calls[i]?.ref ?? '', mail)).toBe('250');
  const rows = await read();
  for (const [i, { name, expects }] of samples.entries()) {
    const [kind, code] = expects.split(' ');
    const failed = kind === 'failed';
    expect({ name, ...rows.get(calls[i]?.address ?? '') }).toEqual({
      name,
      state: failed ? 'failed' : 'accepted',
      code: failed ? (/^\d/.test(code ?? '') ? code : 'bounced') : null,
      suppressed: kind === 'complaint' ? 'complaint' : expects.includes('gone') ? 'no_mailbox' : null,
    });
  }
  const of = (kind: string) => samples.filter(({ expects }) => expects.split(' ')[0] === kind).length;
  const { deliveries, unreadBounces } = await view();
  expect({ ...deliveries, unreadBounces }).toMatchObject({
    failed: of('failed'),
    accepted: samples.length - of('failed'),
    unreadBounces: of('unread'),
  });
});

test('fifty mails that expired in a relay’s queue: nobody of them counts as reached', async () => {
  const { calls, view } = await sent(50);
  const expired = dsn([['Action: failed', 'Status: 4.4.7', 'Diagnostic-Code: smtp; 451 4.4.7 Message expired']]);
  for (const { ref } of calls) expect(await bounce(ref, expired)).toBe('250');
  expect((await view()).deliveries).toMatchObject({ accepted: 0, failed: 50 });
});

test('the same bounce again, and a delay after it, change nothing; a delay before it nothing either', async () => {
  const { calls, read } = await sent(1);
  const { ref, address } = first(calls);
  const delayed = dsn([['Action: delayed', 'Status: 4.4.1']]);
  await bounce(ref, delayed);
  expect((await read()).get(address)).toEqual({ state: 'accepted', code: null, suppressed: null });
  for (const mail of [dsn([['Action: failed', 'Status: 4.4.7']]), dsn([['Action: failed', 'Status: 4.4.7']]), delayed])
    await bounce(ref, mail);
  expect((await read()).get(address)).toEqual({ state: 'failed', code: '4.4.7', suppressed: null });
});

test('a complaint through a provider’s feedback loop finds its person, and does not undo the delivery', async () => {
  const { calls, read } = await sent(2);
  const { ref, address } = first(calls);
  const other = calls[1];
  expect(await bounce(ref, feedback('abuse'), 'complaints@bounces.example.org')).toBe('250');
  expect((await read()).get(address)).toEqual({ state: 'accepted', code: null, suppressed: 'complaint' });
  expect((await read()).get(other?.address ?? '')).toEqual({ state: 'accepted', code: null, suppressed: null });
});

test('who is suppressed for another reason keeps it', async () => {
  const { calls, read } = await sent(1);
  const { ref, address } = first(calls);
  await bounce(ref, dsn([['Action: failed', 'Status: 5.1.1']]));
  await bounce(ref, feedback('abuse'));
  expect((await read()).get(address)).toEqual({ state: 'failed', code: '5.1.1', suppressed: 'no_mailbox' });
});

test('nothing of a mail that cannot be read is kept', async () => {
  const { bench, calls } = await sent(1);
  await bounce(first(calls).ref, plain('postmaster@gate.example', 'Notice 4711-SECRET', ['The item 4711-SECRET went back.']));
  await deps.db.withTenant(bench.ctx.tenantId, async (tx) => {
    const tables = await tx.selectFrom('tallies').selectAll().where('kind', '=', 'unread_bounce').execute();
    expect(tables).toMatchObject([{ key: 'email', n: '1' }]);
    expect(JSON.stringify(await tx.selectFrom('deliveries').selectAll().execute())).not.toContain('SECRET');
  });
});
