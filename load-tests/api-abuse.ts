import { check } from 'k6';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import type { Options } from 'k6/options';
import { ABUSES, type Abuse } from './lib/abuses.ts';
import { type Answered, api, arrivals, optionsOf, plan, textOf, turn } from './lib/script.ts';

export { handleSummary } from './lib/summary.ts';

const answers5xx = new Counter('answers_5xx');

/**
 * Wrong bodies, keys, sizes and fields arrive at a rate, and beside them one client does everything right and must not
 * suffer.
 */
export const options: Options = optionsOf(
  {
    abuse: arrivals('abuse', Math.max(plan.rate * plan.seconds, ABUSES.length), plan.seconds),
    honest: arrivals('honest', 2 * plan.seconds, plan.seconds),
  },
  ['abuse', 'honest'],
  { answers_5xx: ['count==0'] },
);

/** An answer of 4xx is what this script wants; every other answer counts as failed. */
const REFUSED = http.expectedStatuses({ min: 400, max: 499 });

/** RFC 9457 names the type of the answer and wants its status in the body; the stable code is Muster's own. */
function isProblem(answer: Answered): boolean {
  if (!String(answer.headers['Content-Type']).startsWith('application/problem+json')) return false;
  const { status, code } = JSON.parse(textOf(answer)) as { status?: unknown; code?: unknown };
  return status === answer.status && typeof code === 'string' && code !== '';
}

function tryOut({ method, path, body, headers = {}, keyless }: Abuse): Answered {
  return http.request(method, `${plan.site}${path}`, body ?? null, {
    headers: { ...(keyless ? {} : { Authorization: `Bearer ${plan.apiKey}` }), ...headers },
    tags: { name: 'abuse' },
    responseCallback: REFUSED,
    redirects: 0,
    timeout: '30s',
  });
}

export function abuse(): void {
  const one = ABUSES[turn() % ABUSES.length];
  if (one === undefined) return;
  const answer = tryOut(one);
  if (answer.status >= 500 || answer.status === 0) answers5xx.add(1);
  const right = one.statuses.includes(answer.status);
  if (!right) console.warn(`${one.about}: answered ${answer.status} ${textOf(answer).slice(0, 200)}`);
  check(answer, {
    [`${one.about}: ${one.statuses.join(' or ')}`]: () => right,
    'refused as problem+json': isProblem,
  });
}

export function honest(): void {
  const seen = api('GET', '/messages?limit=1', { name: 'honest' });
  check(seen, { 'a good request passes': ({ status }) => status === 200 });
}
