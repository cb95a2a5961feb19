import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '#platform/free-port.ts';
import type { MessageView } from '#schemas/views.ts';
import { fromApi } from '#testing/call-api.ts';
import { callLogOf, readCallLog } from '#testing/call-log.ts';
import { killPart, processesOf, type Ready, Up } from '#testing/up.ts';

/**
 * Each process of `npm run up`, and then the supervisor itself, is killed amid one fan-out; the carriers' log is counted per
 * person.
 */
const BULK = 3_000;
const LIFE = 600;
const EACH = ['bin/postgres', 'simulator/main.ts', 'src/main.ts', 'workers/main.ts'];
const CAMPAIGN = 'Flood drainage works begin on Monday.';
const ALARM = 'Dam alarm: go to the hall on Mill Street before 18:00. City of Harbour.';

const folder = mkdtempSync(join(tmpdir(), 'muster-killed-'));
chmodSync(folder, 0o755);
let up: Up;
let ready: Ready;
let ports: [number, number];

beforeAll(async () => {
  ports = [await freePort(), await freePort()];
  up = new Up(folder, ...ports);
  ready = await up.ready();
});
afterAll(async () => {
  await up.end();
  rmSync(folder, { recursive: true, force: true });
});

const api = <T>(method: string, path: string, body?: unknown): Promise<T> => fromApi(method, `${ready.api}${path}`, body, { key: ready.apiKey });

/** Calls that reached somebody, per address, as the carriers wrote them down before they answered. */
function takenBy(what: 'campaign' | 'alarm'): Map<string, number> {
  const taken = new Map<string, number>();
  for (const call of readCallLog(callLogOf(folder))) {
    const ours = what === 'campaign' ? call.body?.includes(CAMPAIGN) : call.subject?.includes('Dam alarm');
    if (ours && call.taken) taken.set(call.to, (taken.get(call.to) ?? 0) + 1);
  }
  return taken;
}

const sum = (taken: Map<string, number>): number => [...taken.values()].reduce((all, n) => all + n, 0);
const called = (): number => sum(takenBy('campaign')) + sum(takenBy('alarm'));

/** Waits until there are so many more calls than now, for as long as a dead worker's lease and a held sender take. */
async function untilMore(calls: number): Promise<void> {
  const from = called();
  await expect.poll(() => called() - from, { timeout: 30_000, interval: 50 }).toBeGreaterThanOrEqual(calls);
}

/** Which processes of the installation there are, by the last part of their names. */
const running = (): string[] =>
  processesOf(folder)
    .flatMap(({ command }) => /(?:bin\/postgres|\w+\/main\.ts)/.exec(command)?.[0] ?? [])
    .sort();

const stateOf = async (id: string): Promise<MessageView['deliveries']> => (await api<MessageView>('GET', `/messages/${id}`)).deliveries;

/** What Muster says of each person in the list for download. People's names are their numbers. */
async function said(id: string): Promise<{ name: string; state: string }[]> {
  const rows = parse<{ name: string; state: string }>(await api<string>('GET', `/messages/${id}/deliveries?format=csv`), { columns: true });
  expect(rows).toHaveLength(BULK);
  return rows.map(({ name, state }) => ({ name: name.replace(/^'/, ''), state }));
}

async function launchBoth(): Promise<{ campaign: MessageView; alarm: MessageView }> {
  const rows = [
    ...Array.from({ length: BULK }, (_, n) => `k${n},+1503555${1000 + n},+1503555${1000 + n},,killed-sms,bulk`),
    ...Array.from({ length: LIFE }, (_, n) => `m${n},,,killed-${n}@muster.example,killed-mail,life`),
  ];
  expect(
    await fromApi('POST', `${ready.api}/recipients/import`, `external_id,name,phone,email,tags,consent\n${rows.join('\n')}\n`, {
      key: ready.apiKey,
      headers: { 'content-type': 'text/csv' },
    }),
  ).toMatchObject({ created: BULK + LIFE });
  // The carriers are slow enough that all the kills fall into one fan-out, and the crowd does nothing.
  const slow = { latencyMs: 250, latencyJitterMs: 100 };
  const crowd = { answerShare: 0, stopShare: 0, bounceShare: 0 };
  await fromApi('POST', `${ready.simulator}/control`, { sms: slow, email: slow, second: { sms: slow, email: slow }, crowd });
  const common = { launch: true, expiresAt: new Date(Date.now() + 3_600_000).toISOString() };
  const campaign = { ...common, class: 'bulk', text: { en: CAMPAIGN }, audience: { tags: ['killed-sms'] }, channels: ['sms'] };
  const alarm = {
    ...common,
    class: 'life',
    title: 'Dam alarm',
    text: { en: ALARM },
    says: { instruction: 'Go uphill.' },
    audience: { tags: ['killed-mail'] },
    channels: ['email'],
  };
  return { campaign: await api('POST', '/messages', campaign), alarm: await api('POST', '/messages', alarm) };
}

test('killing any process amid a fan-out, the supervisor last, loses nobody and reaches nobody twice', async () => {
  const { campaign, alarm } = await launchBoth();
  for (const part of ['workers/main.ts', 'src/main.ts', 'bin/postgres', 'simulator/main.ts']) {
    await untilMore(100);
    killPart(folder, part);
  }
  await untilMore(100);
  expect(sum(takenBy('campaign')), 'all kills fell into the fan-out').toBeLessThan(BULK);
  // A watcher's connection stays open and holds the old API, and its port, while the API ends.
  const watched = await request(`${ready.api}/messages/${campaign.id}/events`, { headers: { authorization: `Bearer ${ready.apiKey}` } });
  watched.body.on('error', () => undefined).resume();
  up.child.kill('SIGKILL');
  up = new Up(folder, ...ports);
  ready = await up.ready();
  await expect
    .poll(
      async () => {
        const [bulk, life] = [await stateOf(campaign.id), await stateOf(alarm.id)];
        return bulk.pending + bulk.attempting + life.pending + life.attempting + life.unknown;
      },
      { timeout: 60_000, interval: 250 },
    )
    .toBe(0);

  const bulk = await stateOf(campaign.id);
  const taken = takenBy('campaign');
  expect([...taken].filter(([, calls]) => calls > 1)).toEqual([]);
  // People whom no call reached are listed by name as in doubt or failed, never as sent.
  const unreached = (await said(campaign.id)).filter(({ name, state }) => !taken.has(name) && !['unknown', 'unresolved', 'failed'].includes(state));
  expect(unreached).toEqual([]);
  expect(bulk.unknown + bulk.unresolved).toBeLessThan(BULK / 4);
  expect(takenBy('alarm').size).toBe(LIFE);
  expect(sum(takenBy('alarm')) - LIFE, 'repeated after doubt').toBeLessThan(LIFE / 4);
  await expect.poll(running, { timeout: 20_000, interval: 250, message: 'nothing of the first run is left' }).toEqual(EACH);
});

test('killing the supervisor while its processes start leaves none of them behind', async () => {
  await up.end();
  up = new Up(folder, ...ports);
  await expect.poll(running, { timeout: 30_000, interval: 5 }).toContain('workers/main.ts');
  up.child.kill('SIGKILL');
  // The database is ended by the next start, which finds everything again.
  await expect.poll(running, { timeout: 25_000, interval: 250 }).toEqual(['bin/postgres']);
  up = new Up(folder, ...ports);
  expect(await up.ready()).toEqual(ready);
});
