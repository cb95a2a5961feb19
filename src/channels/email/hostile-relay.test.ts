import { setTimeout as sleep } from 'node:timers/promises';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { MailContent } from '#domain/delivery/channel.ts';
import { Recall } from '#domain/delivery/recall.ts';
import { createLog } from '#platform/log.ts';
import { Chance, pick } from '#simulator/chance.ts';
import { makeCertificate } from '#testing/certificate.ts';
import { HostileConnection, type RelayOptions } from '#testing/hostile-relay/connection.ts';
import { type Claim, judge, type Verdict } from '#testing/hostile-relay/judge.ts';
import { Ledger } from '#testing/hostile-relay/ledger.ts';
import { startTcp } from '#testing/loopback.ts';
import { createEmailAdapter } from './adapter.ts';

/*
 * Conversations with a relay that breaks SMTP in every way that chance finds, and books what it really took. Each has a
 * seed of its own; `HOSTILE_SEED=<the printed one> HOSTILE_CONVERSATIONS=1` repeats it, a larger number looks further.
 */
const SEED = Number(process.env['HOSTILE_SEED'] ?? 20_260);
const CONVERSATIONS = Number(process.env['HOSTILE_CONVERSATIONS'] ?? 400);
const AT_ONCE = 16;
const DEADLINE_MS = 800;
const SLACK_MS = 1_500;

const log = createLog('test', 'silent');
const certificate = makeCertificate();
const sockets = new Set<Socket>();
const onSocket = (message: unknown): void => void sockets.add((message as { socket: Socket }).socket);
beforeAll(() => subscribe('net.client.socket', onSocket));
afterAll(() => unsubscribe('net.client.socket', onSocket));

/** What each send was given; whoever still holds it has forgotten to let go. */
const given: WeakRef<object>[] = [];
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const content = (bytes: number): MailContent => ({
  channel: 'email',
  subject: ['Flood'],
  text: ['.\n..\r\nDear ', { slot: 'name' }, '\r.lone\n', '.x'.repeat(bytes / 2)],
  html: ['<p>.</p>'],
  oneClickUnsubscribe: false,
});

interface Story {
  readonly relay: RelayOptions;
  readonly mails: number;
  readonly connections: number;
  readonly bytes: number;
  /** When the sends are taken back. */
  readonly recallMs: number | undefined;
  readonly closeMs: number | undefined;
  /** The longest pause before the next mail. */
  readonly staggerMs: number;
}

function storyOf(chance: Chance): Story {
  const one = <T>(list: readonly [T, ...T[]]): T => pick(list, chance.next()) ?? list[0];
  return {
    relay: {
      temper: { foul: one([0, 0, 0.02, 0.06, 0.15]), refuses: one([0, 0.04, 0.12]) },
      pipelining: one([1, 1, 1, 0.5, 0]),
      certificate: chance.next() < 0.1 ? certificate : undefined,
      login: chance.next() < 0.15,
    },
    mails: 1 + Math.floor(chance.next() * 10),
    connections: one([1, 1, 2, 3]),
    bytes: one([100, 100, 100, 100, 2_000, 20_000, 60_000]),
    recallMs: chance.next() < 0.12 ? chance.next() * 40 : undefined,
    closeMs: chance.next() < 0.1 ? chance.next() * 60 : undefined,
    staggerMs: one([0, 0, 5, 20]),
  };
}

async function converse(seed: number): Promise<Verdict & { transcript: string; secured: boolean }> {
  const chance = new Chance(seed);
  const story = storyOf(chance);
  const ledger = new Ledger();
  const relay = await startTcp(
    (socket) => new HostileConnection(socket, new Chance(chance.of('connection', ledger.connections.length) * 2 ** 32), story.relay, ledger),
  );
  const adapter = createEmailAdapter({
    smtpUrl: `smtp://${story.relay.login ? 'user:word@' : ''}127.0.0.1:${relay.port}?tls.rejectUnauthorized=false`,
    mailFrom: 'muster@example.org',
    returnDomain: 'bounces.example.org',
    log,
    connections: story.connections,
    deadlineMs: DEADLINE_MS,
  });
  const prepared = adapter.prepare(content(story.bytes), { id: 1, address: 'alerts@example.org' });
  const recall = new Recall();
  given.push(new WeakRef(recall));
  if (story.recallMs !== undefined) setTimeout(() => recall.recall(), story.recallMs);
  const closing = story.closeMs === undefined ? undefined : sleep(story.closeMs).then(() => adapter.close());
  const claims: Promise<Claim>[] = [];
  for (let i = 1; i <= story.mails; i++) {
    const began = performance.now();
    const target = { address: `p${i}@example.net`, ref: String(i).padStart(34, '0'), slots: { name: `Ann ${i}` } };
    const sent = prepared.send(target, recall);
    claims.push(sent.then(({ outcome }) => ({ mail: String(i), outcome, tookMs: performance.now() - began })));
    if (story.staggerMs > 0) await sleep(chance.next() * story.staggerMs);
  }
  const all = await Promise.all(claims);
  await (closing ?? adapter.close());
  const verdict = judge(all, ledger, DEADLINE_MS + SLACK_MS);
  const heard = ledger.connections.flatMap(({ lines, codes }, i) => [`-- connection ${i}: ${codes.join(' ')}`, ...lines]);
  const told = JSON.stringify(story, (key, value: unknown) => (key === 'certificate' ? true : value));
  const transcript = [told, ...all.map((one) => JSON.stringify(one)), JSON.stringify(ledger.taken), ...heard].join('\n');
  await relay.close();
  return { ...verdict, transcript, secured: story.relay.certificate !== undefined };
}

test(
  `${CONVERSATIONS} conversations with a hostile relay from seed ${SEED}: nobody is lost, doubled, mistaken for another or forgotten`,
  async () => {
    const wrong: string[] = [];
    let [next, exact, secured, misled, late] = [0, 0, 0, 0, 0];
    const lane = async (): Promise<void> => {
      while (next < CONVERSATIONS && wrong.length < 40) {
        const seed = SEED + next++;
        const verdict = await converse(seed);
        exact += verdict.exact;
        if (verdict.secured) secured += verdict.exact;
        misled += verdict.misled;
        late += verdict.late;
        if (verdict.wrong.length > 0) wrong.push(`HOSTILE_SEED=${seed}\n${verdict.wrong.join('\n')}\n${verdict.transcript}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    if (process.env['HOSTILE_CONVERSATIONS'])
      process.stdout.write(`exact ${exact} (${secured} by TLS), misled ${misled}, late ${late}, sockets ${sockets.size}\n`);
    expect(wrong.join('\n\n')).toBe('');
    // The ledger had something to say, in the clear and by TLS; and nobody is left to a time-out as a rule.
    if (CONVERSATIONS >= 100) expect(exact).toBeGreaterThan(CONVERSATIONS);
    if (certificate && CONVERSATIONS >= 100) expect(secured).toBeGreaterThan(CONVERSATIONS / 50);
    expect(late).toBeLessThan(CONVERSATIONS / 4 + 20);
    await vi.waitFor(() => expect([...sockets].filter((socket) => !socket.destroyed)).toHaveLength(0), { timeout: 4_000 });
    sockets.clear();
    await vi.waitFor(
      () => {
        collect();
        expect(given.filter((one) => one.deref() !== undefined)).toHaveLength(0);
      },
      { timeout: 4_000 },
    );
  },
  60_000 + CONVERSATIONS * 200,
);
