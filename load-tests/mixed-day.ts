import { check, sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import type { Options, Scenario } from 'k6/options';
import type { MessageView } from '#schemas/views.ts';
import { allReached, api, arrivals, inAnHour, optionsOf, plan, textOf, turn, viewOf } from './lib/script.ts';

export { handleSummary } from './lib/summary.ts';

const every = plan.seconds / plan.campaigns;

/** Spreads `plan.campaigns` of a kind evenly over the run; each iteration may last as long as its message takes. */
const spread = (exec: string, startSeconds: number): Scenario => ({
  executor: 'constant-arrival-rate',
  exec,
  rate: plan.campaigns,
  timeUnit: `${plan.seconds}s`,
  duration: `${plan.seconds}s`,
  startTime: `${startSeconds}s`,
  gracefulStop: '120s',
  preAllocatedVUs: plan.campaigns + 1,
  maxVUs: plan.campaigns + 5,
});

/** Bulk goes to everybody, a life message starts in the middle of each, lists are imported and coordinators read. */
export const options: Options = optionsOf(
  {
    bulk: spread('bulk', 0),
    life: spread('life', Math.min(1, every / 2)),
    imports: arrivals('importPeople', plan.seconds, plan.seconds),
    readers: arrivals('read', plan.rate * plan.seconds, plan.seconds),
  },
  ['launch bulk', 'launch life', 'poll', 'import', 'preview', 'list people'],
);

const expected = new Counter('deliveries_expected');
const lifeFirstCallMs = new Trend('life_first_call_ms', false);
const lifeDoneMs = new Trend('life_done_ms', false);
const bulkDoneMs = new Trend('bulk_done_ms', false);

const IMPORT_ROWS = plan.quick ? 20 : 500;
const POLL_SECONDS = 0.25;
const WAIT_SECONDS = 110;

interface Sent {
  readonly name: string;
  readonly class: 'life' | 'bulk';
  readonly tag: string;
  readonly channels: readonly string[];
  readonly deliveries: number;
}

/** Launches and waits until it is done. */
function send(sent: Sent): MessageView | undefined {
  const made = viewOf(
    api('POST', '/messages', {
      name: sent.name,
      body: {
        class: sent.class,
        text: { en: `Load ${sent.class} ${plan.run} ${turn()}: the bridge is closed, use the ferry.` },
        // These words stand in the text already, so that only the issuer and the end are added to it.
        ...(sent.class === 'life' ? { says: { who: `Load ${sent.class} ${plan.run}`, where: 'the bridge', instruction: 'use the ferry' } } : {}),
        audience: { tags: [sent.tag] },
        channels: sent.channels,
        expiresAt: inAnHour(),
        launch: true,
      },
    }),
  );
  if (!check(made, { launched: (view) => view !== undefined }) || made === undefined) return undefined;
  expected.add(sent.deliveries);
  for (let tries = 0; tries < WAIT_SECONDS / POLL_SECONDS; tries++) {
    const view = viewOf(api('GET', `/messages/${made.id}`, { name: 'poll' }));
    if (view?.state === 'completed') {
      check(view, { 'everybody is reached': (done) => allReached(done, sent.deliveries) });
      return view;
    }
    sleep(POLL_SECONDS);
  }
  check(undefined, { 'everybody is reached': () => false });
  return undefined;
}

const sinceLaunch = ({ times }: MessageView, time: string | null): number => Date.parse(time ?? '') - Date.parse(times.launchedAt ?? '');

export function bulk(): void {
  const done = send({ name: 'launch bulk', class: 'bulk', tag: plan.tag, channels: ['email'], deliveries: plan.people });
  if (done) bulkDoneMs.add(sinceLaunch(done, done.times.lastCallAt));
}

export function life(): void {
  const done = send({ name: 'launch life', class: 'life', tag: plan.lifeTag, channels: ['sms', 'email'], deliveries: 2 * plan.lifePeople });
  if (!done) return;
  lifeFirstCallMs.add(sinceLaunch(done, done.times.firstCallAt));
  lifeDoneMs.add(sinceLaunch(done, done.times.lastCallAt));
}

/** Imports the same few hundred people again and again with a changed name, so that it mostly updates. They are sent nothing. */
export function importPeople(): void {
  const rows = Array.from(
    { length: IMPORT_ROWS },
    (_, i) => `load-import-${i},Imported ${plan.run} ${turn()},load-import-${i}@load.muster.example,load-import`,
  );
  const done = api('POST', '/recipients/import', {
    name: 'import',
    body: `external_id,name,email,tags\r\n${rows.join('\r\n')}\r\n`,
    headers: { 'Content-Type': 'text/csv' },
  });
  check(done, {
    'every row is imported': (answer) => answer.status === 200 && (JSON.parse(textOf(answer)) as { rows: number; rejected: number }).rows === IMPORT_ROWS,
  });
}

export function read(): void {
  const people = api('GET', `/recipients?tag=${plan.tag}&limit=50`, { name: 'list people' });
  const preview = api('POST', '/audiences/preview', { name: 'preview', body: { audience: { tags: [plan.tag] }, class: 'bulk', channels: ['email'] } });
  check(people, { 'people are listed': ({ status }) => status === 200 });
  check(preview, { 'the audience is counted': (answer) => answer.status === 200 && (JSON.parse(textOf(answer)) as { count: number }).count === plan.people });
}
