import { check } from 'k6';
import { SharedArray } from 'k6/data';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import type { Options } from 'k6/options';
import { api, arrivals, browserHeaders, optionsOf, plan, textOf, turn } from './lib/script.ts';

export { handleSummary } from './lib/summary.ts';

/** Everybody opens the link of one message and answers within a minute, in an open model: nobody waits for the others. */
export const options: Options = optionsOf(
  {
    answers: arrivals('answer', plan.people, plan.seconds),
    watchers: arrivals('watch', plan.rate * plan.seconds, plan.seconds),
  },
  ['open', 'answer', 'progress'],
);

const tokens = new SharedArray<string>('tokens', () => JSON.parse(open(plan.tokensFile)) as string[]);
const taken = new Counter('answers_taken');

/** Six of ten people say that they come, three that they do not, and one that they come later. */
const keyOf = (number: number): string => (number % 10 < 6 ? 'yes' : number % 10 < 9 ? 'no' : 'later');

export function answer(): void {
  const number = turn();
  const token = tokens[number];
  // The executor starts one iteration more than it was asked for when the end falls on an arrival.
  if (token === undefined) return;
  const url = `${plan.site}/r/${token}`;
  const headers = browserHeaders(number);
  const page = http.get(url, { headers, tags: { name: 'open' }, timeout: '30s' });
  const nonce = /name="nonce" value="([^"]+)"/.exec(textOf(page))?.[1];
  if (!check(page, { 'the page opens': ({ status }) => status === 200 && nonce !== undefined })) return;
  const posted = http.post(
    url,
    { answer: keyOf(number), nonce: nonce ?? '' },
    { headers: { ...headers, Origin: plan.site }, tags: { name: 'answer' }, timeout: '30s' },
  );
  if (check(posted, { 'the answer is taken': ({ status }) => status === 200 })) taken.add(1);
}

/** The coordinator's side: the counts must stay quick to read while answers pour in. */
export function watch(): void {
  const seen = api('GET', `/messages/${plan.messageId}`, { name: 'progress' });
  check(seen, { 'progress is told': ({ status }) => status === 200 });
}
