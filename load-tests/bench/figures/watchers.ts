import { Agent, type ClientRequest, get, type IncomingMessage } from 'node:http';
import { type Bench, startMuster } from '#bench/bench.ts';
import { draft, patience, settled } from '#bench/fan-out.ts';
import { seedPeople, SENDERS } from '#bench/people.ts';
import { median, round } from '#bench/statistics.ts';
import type { System, Tenant } from '#bench/system.ts';
import { until } from '#testing/until.ts';

export interface WatchersResult {
  readonly watchers: number;
  readonly sends: number;
  readonly perSecond: number | null;
  readonly watchedPerSecond: number | null;
  /** 1 - watched / unwatched. */
  readonly slowdown: number | null;
  /** Events that all watchers together got in the last round. */
  readonly events: number;
  /** Watchers that saw the end. */
  readonly sawTheEnd: number;
}

/** One message that is watched by many over server-sent events, against the same unwatched. */
export async function watchers(bench: Bench): Promise<WatchersResult> {
  const { watchers: count, watched: sends, rounds } = bench.sizes;
  const system = await startMuster(bench);
  try {
    const tenant = await system.addTenant([SENDERS.sms]);
    await seedPeople(system, tenant, { count: sends, channel: 'sms' });
    await run(system, tenant, sends, 0);
    const alone: number[] = [];
    const seen: Run[] = [];
    for (let i = 0; i < rounds; i++) {
      bench.checkTime();
      alone.push((await run(system, tenant, sends, 0)).perSecond);
      seen.push(await run(system, tenant, sends, count));
      bench.say(`watchers: ${Math.round(alone.at(-1) ?? 0)}/s unwatched, ${Math.round(seen.at(-1)?.perSecond ?? 0)}/s with ${count}`);
    }
    const watchedRate = median(seen.map((one) => one.perSecond));
    return {
      watchers: count,
      sends,
      perSecond: round(median(alone)),
      watchedPerSecond: round(watchedRate),
      slowdown: round(1 - watchedRate / median(alone)),
      events: seen.at(-1)?.events ?? 0,
      sawTheEnd: Math.min(...seen.map((one) => one.sawTheEnd)),
    };
  } finally {
    await system.close();
  }
}

interface Run {
  readonly perSecond: number;
  readonly events: number;
  readonly sawTheEnd: number;
}

interface Watcher {
  readonly request: ClientRequest;
  events: number;
  ended: boolean;
}

async function run(system: System, tenant: Tenant, sends: number, count: number): Promise<Run> {
  const { id } = await system.call<{ id: string }>(tenant, 'POST', '/v1/messages', draft({ channel: 'sms', launch: false }));
  const agent = new Agent({ maxSockets: Number.POSITIVE_INFINITY, keepAlive: false });
  const all: Watcher[] = [];
  try {
    for (let i = 0; i < count; i++) all.push(watch(system, tenant, id, agent));
    await until(() => all.every((one) => one.events > 0), 30_000, 'not every watcher has its first event');
    const postedAt = performance.timeOrigin + performance.now();
    await system.call(tenant, 'POST', `/v1/messages/${id}/launch`, {});
    const view = await system.message(tenant, id, (now) => now.state === 'completed' && settled(now, sends), patience(sends));
    const ms = Date.parse(view.times.completedAt ?? '') - postedAt;
    await until(() => all.every((one) => one.ended), 10_000, 'not every watcher sees the end').catch(() => undefined);
    return { perSecond: (sends / ms) * 1000, events: all.reduce((sum, one) => sum + one.events, 0), sawTheEnd: all.filter((one) => one.ended).length };
  } finally {
    for (const { request } of all) request.destroy();
    agent.destroy();
  }
}

function watch(system: System, tenant: Tenant, id: string, agent: Agent): Watcher {
  const request = get(`${system.api}/v1/messages/${id}/events`, { agent, headers: { authorization: `Bearer ${tenant.apiKey}`, accept: 'text/event-stream' } });
  const watcher: Watcher = { request, events: 0, ended: false };
  request.on('error', () => undefined);
  request.on('response', (response: IncomingMessage) => {
    response.on('error', () => undefined);
    let rest = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      rest += chunk;
      const events = rest.split('\n\n');
      rest = events.pop() ?? '';
      watcher.events += events.filter((event) => /^data:/m.test(event)).length;
      watcher.ended ||= events.some((event) => event.includes('"state":"completed"'));
    });
  });
  return watcher;
}
