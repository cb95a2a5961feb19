import { afterEach, describe, expect, test } from 'vitest';
import type { ChannelAdapter, Content, SenderIdentity, Target } from '#domain/delivery/channel.ts';
import type { OutcomeKind } from '#domain/delivery/outcome.ts';
import { Recall } from '#domain/delivery/recall.ts';
import type { Channel } from '#schemas/channel-facts.ts';
import { type Loopback, refusedPort, startHttp, startTcp } from './loopback.ts';

/** For one call in these tests; an adapter's own deadline is 15 or 20 s. */
export const DEADLINE_MS = 1_200;

export type Behaviour =
  | 'accepts'
  | 'is too busy and says how long'
  | 'is too busy and does not say'
  | 'breaks internally'
  | 'refuses the connection'
  | 'falls silent after the body'
  | 'cuts after the body'
  | 'cuts in the middle of the request'
  | 'refuses our credentials'
  | 'says the person is gone'
  | 'refuses the content';

/** What it has heard: whole requests, or lines. */
type Carrier = Loopback & { readonly requests?: readonly unknown[]; readonly lines?: readonly string[] };

/** One adapter: how its carrier misbehaves, and the outcome that the core may rely on. */
export interface Harness {
  /** @returns the carrier and an adapter that sends to it */
  start(behaviour: Behaviour): Promise<{ carrier: Carrier | undefined; adapter: ChannelAdapter; content: Content; target: Target }>;
  readonly sender: SenderIdentity;
  readonly expected: Readonly<Record<Behaviour, { outcome: { kind: OutcomeKind } & Record<string, unknown>; goneSubscriptions?: string[] }>>;
}

/** What an adapter must make of what carriers do. Every channel's folder has a `contract.test.ts` that calls this. */
export function adapterContract(channel: Channel, harness: Harness): void {
  const closers: (() => Promise<unknown> | undefined)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });

  async function open(behaviour: Behaviour) {
    const started = await harness.start(behaviour);
    closers.push(
      () => started.carrier?.close(),
      () => started.adapter.close(),
    );
    return { ...started, prepared: started.adapter.prepare(started.content, harness.sender), expected: harness.expected[behaviour] };
  }

  describe(`${channel}`, () => {
    test.each(Object.keys(harness.expected) as Behaviour[])('when the carrier %s', async (behaviour) => {
      const { prepared, target, expected } = await open(behaviour);
      const started = performance.now();
      expect(await prepared.send(target)).toMatchObject(expected);
      expect(performance.now() - started).toBeLessThan(DEADLINE_MS + 1_500);
    });

    test('a refusal leaves the next call unharmed', async () => {
      const { prepared, target, expected } = await open('says the person is gone');
      for (let i = 0; i < 3; i++) expect(await prepared.send(target)).toMatchObject(expected);
    });

    test('many at once: each is answered', async () => {
      const { prepared, target } = await open('accepts');
      const results = await Promise.all(Array.from({ length: 200 }, () => prepared.send(target)));
      expect(new Set(results.map((one) => one.outcome.kind))).toEqual(new Set(['accepted']));
    });

    test('a call that is recalled before it began is not made', async () => {
      const { prepared, target } = await open('accepts');
      const recall = new Recall();
      recall.recall();
      expect((await prepared.send(target, recall)).outcome).toEqual({ kind: 'not_called', code: 'not_called' });
      expect((await prepared.send(target, new Recall())).outcome).toMatchObject({ kind: 'accepted' });
    });

    test('calls that wait for a connection are taken back at once; those that have begun are in doubt', async () => {
      const { prepared, target, carrier } = await open('falls silent after the body');
      const recall = new Recall();
      const ended: string[] = [];
      const sends = Array.from({ length: 300 }, () => prepared.send(target, recall).then(({ outcome }) => ended.push(outcome.kind)));
      await expect.poll(() => (carrier?.requests ?? carrier?.lines?.filter((line) => line === '.') ?? []).length, { interval: 5 }).toBeGreaterThan(0);
      expect(ended).toEqual([]);
      recall.recall();
      await expect.poll(() => ended.length, { timeout: DEADLINE_MS / 2, interval: 5 }).toBeGreaterThanOrEqual(300 - 32);
      expect(new Set(ended)).toEqual(new Set(['not_called']));
      expect(ended.length).toBeLessThan(300);
      await Promise.all(sends);
      expect(new Set(ended)).toEqual(new Set(['not_called', 'unknown']));
    });

    test('a line break in a slot value is refused before anything is sent', async () => {
      const { prepared, target } = await open('accepts');
      const slots = { name: 'Ana\r\nBcc: everyone@example.net' };
      expect(await prepared.send({ ...target, slots })).toEqual({ outcome: { kind: 'rejected', code: 'bad_slot_value' } });
    });

    test('close waits for calls under way, and none starts afterwards', async () => {
      const { adapter, prepared, target } = await open('falls silent after the body');
      const last = prepared.send(target);
      await adapter.close();
      expect((await last).outcome.kind).toBe('unknown');
      expect((await prepared.send(target)).outcome).toEqual({ kind: 'retryable', code: 'closing' });
    });
  });
}

/** A carrier that is called over HTTP; `answers` has what it says where it says anything. */
export async function startHttpCarrier(
  behaviour: Behaviour,
  answers: Partial<Record<Behaviour, [number, Record<string, string>, unknown]>>,
): Promise<{ carrier: Carrier | undefined; port: number }> {
  if (behaviour === 'refuses the connection') return { carrier: undefined, port: await refusedPort() };
  const cutAtOnce = (): Promise<Carrier> => startTcp((socket) => socket.once('data', () => socket.resetAndDestroy()));
  const carrier =
    behaviour === 'cuts in the middle of the request'
      ? await cutAtOnce()
      : await startHttp((_request, response) => {
          if (behaviour === 'falls silent after the body') return;
          if (behaviour === 'cuts after the body') return void response.destroy();
          const [status, headers, body] = answers[behaviour] ?? [418, {}, ''];
          response.writeHead(status, { 'content-type': 'application/json', ...headers });
          response.end(typeof body === 'string' ? body : JSON.stringify(body));
        });
  return { carrier, port: carrier.port };
}
