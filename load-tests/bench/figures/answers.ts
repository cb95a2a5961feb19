import { join } from 'node:path';
import { Pool } from 'undici';
import { type Bench, startMuster } from '#bench/bench.ts';
import { draft, fanOut } from '#bench/fan-out.ts';
import { closedLoop, type LoadRequest, type LoadResult, openLoop } from '#bench/load.ts';
import { seedPeople, SENDERS } from '#bench/people.ts';
import { freePort, startNode } from '#bench/processes.ts';
import { median, percentile, round } from '#bench/statistics.ts';
import type { System, Tenant } from '#bench/system.ts';
import { systemClock } from '#platform/clock.ts';
import { pageNonce } from '#services/links/page-nonce.ts';

export interface AnswersResult {
  readonly answers: number;
  /** Answers a second, each reply sent after its commit. */
  readonly perSecond: number | null;
  /** The same process answering `/livez`. */
  readonly emptyRoutePerSecond: number | null;
  /** The same HTTP server with one INSERT for each request and nothing else. */
  readonly oneInsertEachPerSecond: number | null;
  readonly ratioToEmptyRoute: number | null;
  readonly ratioToOneInsertEach: number | null;
  /** At a constant 70 % of `perSecond`. */
  readonly p99Ms: number | null;
  readonly dropped: number;
}

/** Connections, each with one request at a time. */
const LANES = 64;
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** People answer on the page: closed loop for the rate, then a constant arrival for the delay. */
export async function answers(bench: Bench): Promise<AnswersResult> {
  const count = bench.sizes.answers;
  const system = await startMuster(bench);
  const pool = new Pool(system.api, { connections: LANES });
  const plain = await startPlainServer(bench);
  try {
    const tenant = await system.addTenant([SENDERS.sms]);
    await seedPeople(system, tenant, { count, channel: 'sms' });
    const empty: LoadRequest[] = Array.from({ length: count }, () => ({ method: 'GET', path: '/livez' }));
    const inserts: LoadRequest[] = Array.from({ length: count }, (_, i) => ({ method: 'POST', path: `/answer/${i}`, headers: FORM, body: 'answer=yes' }));
    const rates: Record<'ours' | 'empty' | 'insert', number[]> = { ours: [], empty: [], insert: [] };
    for (let turn = -1; turn < bench.sizes.rounds; turn++) {
      bench.checkTime();
      const ours = await answerAll(system, tenant, count, (requests) => closedLoop(pool, requests, LANES));
      const none = await closedLoop(pool, empty, LANES);
      const insert = await closedLoop(plain, inserts, LANES);
      if (none.refused + insert.refused > 0) throw new Error(`refused: ${none.refused} of the empty route, ${insert.refused} of one INSERT each`);
      if (turn < 0) continue;
      rates.ours.push(ours.perSecond);
      rates.empty.push(none.perSecond);
      rates.insert.push(insert.perSecond);
      bench.say(
        `answers ${turn + 1}: ${Math.round(ours.perSecond)}/s, empty route ${Math.round(none.perSecond)}/s, one INSERT each ${Math.round(insert.perSecond)}/s`,
      );
    }
    const ours = median(rates.ours);
    const steady = await answerAll(system, tenant, count, (requests) => openLoop(pool, requests, ours * 0.7));
    return {
      answers: count,
      perSecond: round(ours),
      emptyRoutePerSecond: round(median(rates.empty)),
      oneInsertEachPerSecond: round(median(rates.insert)),
      ratioToEmptyRoute: round(ours / median(rates.empty)),
      ratioToOneInsertEach: round(ours / median(rates.insert)),
      p99Ms: round(percentile(steady.latencies, 0.99)),
      dropped: steady.dropped,
    };
  } finally {
    await Promise.all([pool.destroy(), plain.destroy()]);
    await system.close();
  }
}

/** A fresh message, answered once by everybody; every reply must have its row. */
async function answerAll(system: System, tenant: Tenant, count: number, load: (requests: readonly LoadRequest[]) => Promise<LoadResult>): Promise<LoadResult> {
  const { id } = await fanOut(system, tenant, draft({ class: 'ops', channel: 'sms' }), count);
  const messageId = Number(system.ids.decode('msg', id));
  const { rows } = await system.sql.query<{ id: string }>('SELECT id FROM recipients WHERE tenant_id = $1 ORDER BY id', [tenant.id]);
  const requests = rows.map((person): LoadRequest => {
    const token = system.tokens.seal('answer', { a: messageId, b: Number(person.id), extra: 0 });
    const nonce = pageNonce({ tokens: system.tokens, clock: systemClock }, token);
    return { method: 'POST', path: `/r/${token}`, headers: FORM, body: `answer=yes&nonce=${nonce}` };
  });
  const result = await load(requests);
  const written = await system.sql.query<{ n: number }>(`SELECT count(*)::int AS n FROM answers WHERE message_id = $1`, [messageId]);
  const expected = count - result.dropped;
  if (result.refused > 0 || written.rows[0]?.n !== expected) throw new Error(`${expected} answers, ${result.refused} refused, ${written.rows[0]?.n} rows`);
  return result;
}

/** Hono, node-server and pg as Muster has them, but one INSERT a request. */
async function startPlainServer(bench: Bench): Promise<Pool> {
  const port = await freePort();
  const args = [String(port), await bench.postgres.createDatabase()];
  const child = startNode('load-tests/bench/contestants/answers-main.ts', args, { logFile: join(bench.folder, 'plain-answers.log') });
  await new Promise<void>((ready, fail) => {
    child.once('message', () => ready());
    child.once('exit', () => fail(new Error('the plain answer server ended')));
  });
  return new Pool(`http://127.0.0.1:${port}`, { connections: LANES });
}
