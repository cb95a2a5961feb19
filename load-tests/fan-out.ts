import { check, sleep } from 'k6';
import exec from 'k6/execution';
import type { Options } from 'k6/options';
import { Counter, Trend } from 'k6/metrics';
import type { MessageView } from '#schemas/views.ts';
import { allReached, api, arrivals, inAnHour, optionsOf, plan, turn, viewOf } from './lib/script.ts';

export { handleSummary } from './lib/summary.ts';

const watchSeconds = Math.min(plan.seconds, plan.quick ? 3 : 60);

/** Campaigns go through the API to the carriers, one after the other, while a few people watch what they reached. */
export const options: Options = optionsOf(
  {
    campaigns: { executor: 'per-vu-iterations', exec: 'campaign', vus: 1, iterations: plan.campaigns, maxDuration: `${plan.seconds}s`, gracefulStop: '10s' },
    watchers: arrivals('watch', plan.rate * watchSeconds, watchSeconds),
  },
  ['launch', 'poll', 'watch'],
  // A campaign that was cut off by the time limit was launched and is not counted here.
  { campaigns_completed: [`count==${plan.campaigns}`] },
);

const completed = new Counter('campaigns_completed');
const expected = new Counter('deliveries_expected');
const fanOutMs = new Trend('fan_out_ms', false);
const perSecond = new Trend('deliveries_per_second', false);
const firstCallMs = new Trend('first_call_ms', false);

/** The kinds that take turns: how each is sent, and how many deliveries one person gets by it. */
const KINDS = [
  { class: 'ops', channels: ['sms'], each: 1 },
  { class: 'ops', channels: ['email'], each: 1 },
  { class: 'ops', channels: ['push', 'sms'], each: 1 },
  { class: 'life', channels: ['sms', 'email'], each: 2 },
] as const;

const POLL_SECONDS = 0.1;

export function campaign(): void {
  const number = turn();
  const kind = KINDS[number % KINDS.length] ?? KINDS[0];
  const people = plan.people * kind.each;
  const made = viewOf(
    api('POST', '/messages', {
      name: 'launch',
      body: {
        class: kind.class,
        text: { en: `Load campaign ${plan.run} ${number}: doors open at six. {{link}}` },
        ...(kind.class === 'life' ? { says: { who: `Load campaign ${plan.run}`, where: 'doors', instruction: 'open at six' } } : {}),
        audience: { tags: [plan.tag] },
        channels: kind.channels,
        answers: [{ key: 'seen', label: 'Seen' }],
        expiresAt: inAnHour(),
        launch: true,
      },
    }),
  );
  if (!check(made, { launched: (view) => view !== undefined }) || made === undefined) return;
  expected.add(people);
  const done = untilCompleted(made.id);
  if (
    !check(done, { completed: (view) => view?.state === 'completed', 'everybody is reached': (view) => view !== undefined && allReached(view, people) }) ||
    !done
  )
    return;
  completed.add(1);
  const pushed = done.waves.filter(({ channel }) => channel === 'push').reduce((sum, { planned }) => sum + planned, 0);
  if (kind.channels[0] === 'push') check(pushed, { 'browsers get push': (count) => count === plan.lifePeople });
  measure(done, people);
}

function untilCompleted(id: string): MessageView | undefined {
  for (let tries = 0; tries < plan.seconds / POLL_SECONDS; tries++) {
    const view = viewOf(api('GET', `/messages/${id}`, { name: 'poll' }));
    if (view === undefined || view.state === 'completed') return view;
    sleep(POLL_SECONDS);
  }
  return undefined;
}

/** Measures by the times that Muster itself keeps, so that polling costs no precision. */
function measure({ times }: MessageView, people: number): void {
  const at = (time: string | null): number => (time === null ? Number.NaN : Date.parse(time));
  const took = at(times.lastCallAt) - at(times.launchedAt);
  if (!check(took, { 'times are told': (value) => value >= 0 })) return;
  fanOutMs.add(took);
  perSecond.add((people * 1000) / Math.max(1, took));
  firstCallMs.add(at(times.firstCallAt) - at(times.launchedAt));
}

/** Somebody who looks at the list of messages while they go out. */
export function watch(): void {
  const seen = api('GET', '/messages?limit=10', { name: 'watch' });
  check(seen, { 'the list is there': ({ status }) => status === 200 });
  if (seen.status === 0) exec.test.abort('the API is gone');
}
