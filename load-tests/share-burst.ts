import { check } from 'k6';
import { SharedArray } from 'k6/data';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import type { Options } from 'k6/options';
import { browserHeaders, optionsOf, plan, textOf, turn, vusFor } from './lib/script.ts';

export { handleSummary } from './lib/summary.ts';

const third = Math.max(1, Math.floor(plan.seconds / 3));

/**
 * A message is passed on: visitors grow to a peak, stay, and lose interest. One in ten joins by push, as far as there are
 * browsers.
 */
export const options: Options = optionsOf(
  {
    visitors: {
      executor: 'ramping-arrival-rate',
      exec: 'visit',
      timeUnit: '1s',
      ...vusFor(plan.rate),
      startRate: Math.max(1, Math.floor(plan.rate / 10)),
      stages: [
        { target: plan.rate, duration: `${third}s` },
        { target: plan.rate, duration: `${third}s` },
        { target: Math.max(1, Math.floor(plan.rate / 10)), duration: `${Math.max(1, plan.seconds - 2 * third)}s` },
      ],
    },
  },
  ['share page', 'seen', 'join'],
);

const tokens = new SharedArray<string>('tokens', () => JSON.parse(open(plan.tokensFile)) as string[]);
const browsers = new SharedArray<object>('browsers', () => JSON.parse(open(plan.subscriptionsFile)) as object[]);
const visits = new Counter('visits_counted');
const joins = new Counter('joins_taken');

const ONE_JOINS_OF = 10;

export function visit(): void {
  const number = turn();
  const url = `${plan.site}/s/${tokens[number % tokens.length] ?? ''}`;
  const headers = browserHeaders(number);
  const page = http.get(url, { headers, tags: { name: 'share page' }, timeout: '30s' });
  const nonce = /data-nonce="([^"]+)"/.exec(textOf(page))?.[1];
  if (!check(page, { 'the share page opens': ({ status }) => status === 200 && nonce !== undefined })) return;
  const script = { ...headers, Accept: 'application/json', 'Content-Type': 'application/json', Origin: plan.site };
  const seen = http.post(`${url}/seen`, JSON.stringify({ nonce }), { headers: script, tags: { name: 'seen' }, timeout: '30s' });
  if (check(seen, { 'the visit is taken': ({ status }) => status === 204 })) visits.add(1);
  const browser = number % ONE_JOINS_OF === 0 ? browsers[number / ONE_JOINS_OF] : undefined;
  if (browser === undefined) return;
  const joined = http.post(`${url}/join`, JSON.stringify({ nonce, subscription: browser, locale: 'en' }), {
    headers: script,
    tags: { name: 'join' },
    timeout: '30s',
  });
  if (check(joined, { 'the visitor has joined': ({ status }) => status === 200 })) joins.add(1);
}
