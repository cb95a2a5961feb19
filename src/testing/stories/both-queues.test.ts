import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { MessageView } from '#schemas/views.ts';
import { DELIVERY_STATES } from '#schemas/delivery.ts';
import { endChild } from '#testing/child.ts';
import { startSystem, type System } from '#testing/system.ts';

const backends = [{ name: 'Postgres', redisUrl: '' }, ...(inject('redisUrl') ? [{ name: 'Redis', redisUrl: inject('redisUrl') }] : [])];

const csv = (count: number): string =>
  [
    'external_id,name,phone,email,consent',
    ...Array.from({ length: count }, (_, i) =>
      i % 2 === 0 ? `p${i},Person ${i},+1202${String(2_000_000 + i)},,life;ops;bulk` : `p${i},Person ${i},,p${i}@example.test,life;ops;bulk`,
    ),
  ].join('\r\n');

const total = (view: MessageView): number => DELIVERY_STATES.reduce((sum, state) => sum + view.deliveries[state], 0);

describe.each(backends)('the queue on $name', ({ redisUrl }) => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({ redisUrl, workers: 2 });
    const imported = await system.call<{ created: number; rejected: number }>('POST', '/v1/recipients/import', csv(2_000), { 'content-type': 'text/csv' });
    expect(imported).toMatchObject({ status: 200, body: { created: 2_000, rejected: 0 } });
  });
  afterAll(() => system.close());

  const send = (extra: Record<string, unknown>) =>
    system.call<MessageView>('POST', '/v1/messages', {
      class: 'bulk',
      text: { en: 'Doors open at six' },
      audience: { all: true },
      channels: ['sms', 'email'],
      launch: true,
      ...extra,
    });

  test('2,000 people on two channels are called exactly once each, and states sum to the audience', async () => {
    const before = system.calls().length;
    const { status, body } = await send({});
    expect(status).toBe(201);
    const done = await system.message<MessageView>(body.id, (view) => view.state === 'completed');
    const calls = system.calls().slice(before);
    expect(calls).toHaveLength(2_000);
    expect(new Set(calls.map((call) => `${call.channel} ${call.to}`)).size).toBe(2_000);
    expect(done.audience.count).toBe(2_000);
    expect(total(done)).toBe(2_000);
    expect(done.deliveries.accepted + done.deliveries.delivered).toBe(2_000);
  });

  test('a worker that is killed while it sends loses nobody and calls nobody twice', async () => {
    const before = system.calls().length;
    const { body } = await send({ text: { en: 'Second call' } });
    await system.message<MessageView>(body.id, (view) => view.deliveries.accepted + view.deliveries.delivered > 100);
    const victim = system.workers.shift();
    victim?.kill('SIGKILL');
    system.startWorker();
    // When the dead worker's lease (10 s) has passed, what it had marked is in doubt for a minute and stays listed.
    const done = await system.message<MessageView>(body.id, (view) => view.deliveries.pending === 0 && view.deliveries.attempting === 0, 90_000);
    const calls = system.calls().slice(before);
    expect(new Set(calls.map((call) => `${call.channel} ${call.to}`)).size).toBe(calls.length);
    expect(total(done)).toBe(2_000);
    expect(calls.length + done.deliveries.unknown + done.deliveries.unresolved).toBeGreaterThanOrEqual(2_000);
    expect(done.deliveries.accepted + done.deliveries.delivered + done.deliveries.unknown + done.deliveries.unresolved).toBe(2_000);
  });

  test('a worker told to end finishes what it marked and leaves nothing in doubt', async () => {
    const { body } = await send({ text: { en: 'Third call' } });
    await system.message<MessageView>(body.id, (view) => view.deliveries.accepted + view.deliveries.delivered > 100);
    const leaving = system.workers.shift();
    system.startWorker();
    const started = performance.now();
    if (leaving) await endChild(leaving);
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(leaving?.signalCode).toBeNull();
    const done = await system.message<MessageView>(body.id, (view) => view.state === 'completed');
    expect(done.deliveries).toMatchObject({ unknown: 0, unresolved: 0, pending: 0, attempting: 0 });
  });
});
