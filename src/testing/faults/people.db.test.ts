import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimBatch } from '#db/delivery/claim-batch.ts';
import { unpackRef } from '#domain/delivery/refs.ts';
import type { AnswerWay, MessageClass } from '#schemas/delivery.ts';
import { recordAnswer } from '#services/answers/answer.ts';
import { deliverBatch } from '#services/delivery/deliver-batch.ts';
import { Bench, carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addMessage, addRecipients } from '#testing/people.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const PEOPLE = 3;

interface Said {
  readonly person: number;
  readonly key: 'yes' | 'no' | 'later';
  readonly way: AnswerWay;
  /** A text that its carrier repeats has the same one. */
  readonly sid: number | undefined;
}

const said: fc.Arbitrary<Said> = fc.record({
  person: fc.nat({ max: PEOPLE - 1 }),
  key: fc.constantFrom('yes' as const, 'no' as const, 'later' as const),
  way: fc.constantFrom<AnswerWay>('page', 'sms', 'push'),
  sid: fc.option(fc.nat({ max: 3 }), { nil: undefined }),
});

/** I8. Groups are said at once, one group after the other. */
test('the first answer and its time never change, whatever is said later, at once or again', async () => {
  const { tenantId } = await deps.tenant();
  const people = await addRecipients(deps, tenantId, PEOPLE);
  let told = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(said, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 6 }), async (groups) => {
      const messageId = await addMessage(deps, tenantId);
      const firsts = new Map<string, { key: string; at: number }>();
      for (const group of groups) {
        const results = await Promise.all(
          group.map(({ person, key, way, sid }) =>
            recordAnswer(deps, {
              tenantId,
              messageId,
              recipientId: people[person] ?? '',
              key,
              way,
              ...(sid === undefined ? {} : { dedupKey: `SM${messageId}-${person}-${sid}` }),
            }),
          ),
        );
        const { rows } = await deps.db.withTenant(tenantId, (tx) =>
          sql<{ id: string; first_key: string; at: number }>`
            SELECT recipient_id AS id, first_key, (extract(epoch FROM first_at) * 1e6)::float8 AS at FROM answers WHERE message_id = ${messageId}`.execute(tx),
        );
        for (const { id, first_key: key, at } of rows) {
          const known = firsts.get(id);
          if (known) expect({ key, at }).toEqual(known);
          else {
            const first = results.filter((result, i) => result.first && people[group[i]?.person ?? -1] === id);
            expect(first.map((result) => result.key)).toEqual([key]);
            firsts.set(id, { key, at });
          }
        }
        expect(firsts.size).toBe(rows.length);
        told += group.length;
      }
    }),
    { numRuns: 60, endOnFailure: true, plugins: [fc.interruptAfterTimeLimit(8_000)] },
  );
  expect(told).toBeGreaterThan(100);
});

interface Send {
  readonly messageClass: MessageClass;
  readonly drill: boolean;
  readonly channels: readonly ('sms' | 'email')[];
  /** Between planning and sending somebody tells the batches to use the other kind of sender. */
  readonly meddles: boolean;
}

const send: fc.Arbitrary<Send> = fc.record({
  messageClass: fc.constantFrom<MessageClass>('life', 'ops', 'bulk'),
  drill: fc.boolean(),
  channels: fc.constantFrom<Send['channels']>(['sms'], ['email'], ['sms', 'email']),
  meddles: fc.boolean(),
});

/** I9. By the delivery's own row as it stood at the call. */
test('no call of a drill names a live sender, nor the reverse, even where a batch says so', async () => {
  const bench = await Bench.open(deps);
  await bench.people(3);
  const { tenantId } = bench.ctx;
  let calls = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(send, async ({ messageClass, drill, channels, meddles }) => {
      const carrier = carriers(async (call) => {
        const ref = unpackRef(deps.tokens.open('receipt', call.ref) ?? deps.tokens.openLower('bounce', call.ref) ?? { a: 0, b: 0, extra: 0xffff });
        const { rows } = await deps.db.withTenant(tenantId, (tx) =>
          sql<{ sender: boolean; message: boolean }>`
            SELECT s.drill AS sender, m.drill AS message FROM deliveries d
            JOIN senders s ON s.tenant_id = d.tenant_id AND s.id = d.sender_id JOIN messages m ON m.tenant_id = d.tenant_id AND m.id = d.message_id
            WHERE d.message_id = ${ref?.messageId ?? '0'} AND d.recipient_id = ${ref?.recipientId ?? '0'} AND d.channel = ${call.channel}::channel`.execute(tx),
        );
        expect(rows).toEqual([{ sender: drill, message: drill }]);
        calls += 1;
        return { kind: 'accepted', providerId: 'p', units: 1 };
      });
      await bench.launch(messageClass, { drill, channels, text: { en: 'Water off' } });
      await bench.plan();
      if (meddles)
        await deps.db.withTenant(tenantId, (tx) =>
          sql`UPDATE batches b SET sender_id = (SELECT s.id FROM senders s WHERE s.tenant_id = b.tenant_id AND s.channel = b.channel AND s.drill <> ${drill} ORDER BY s.id LIMIT 1)
            WHERE b.tenant_id = ${tenantId} AND b.state = 'planned'`.execute(tx),
        );
      const before = calls;
      const worker = bench.worker(carrier);
      for (let batch = await claimBatch(deps.db.across, messageClass, 'test'); batch; batch = await claimBatch(deps.db.across, messageClass, 'test'))
        await deliverBatch(worker, batch);
      if (meddles) {
        expect(calls).toBe(before);
        refused += 1;
      } else expect(calls - before).toBe(channels.length === 2 && messageClass === 'life' ? 6 : 3);
      await deps.db.withTenant(tenantId, (tx) => sql`UPDATE batches SET state = 'done', lease_until = NULL WHERE tenant_id = ${tenantId}`.execute(tx));
    }),
    { numRuns: 40, endOnFailure: true, plugins: [fc.interruptAfterTimeLimit(8_000)] },
  );
  expect(calls).toBeGreaterThan(0);
  expect(refused).toBeGreaterThan(0);
});
