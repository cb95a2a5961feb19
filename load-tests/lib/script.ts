import exec from 'k6/execution';
import http, { type RefinedResponse, type ResponseType } from 'k6/http';
import type { Options, Scenario } from 'k6/options';
import type { MessageView } from '#schemas/views.ts';
import { isLoopbackUrl, NOT_THIS_MACHINE } from './loopback.ts';
import type { LoadPlan } from './plan.ts';

export type Answered = RefinedResponse<ResponseType | undefined>;

function readPlan(): LoadPlan {
  const file = __ENV['MUSTER_LOAD_PLAN'];
  if (!file) throw new Error('Start this with npm run load -- <name>: it prepares people, links and limits.');
  const read = JSON.parse(open(file)) as LoadPlan;
  for (const url of [read.site, read.simulator]) if (!isLoopbackUrl(url)) throw new Error(`${url} is not on this machine: load goes to loopback alone.`);
  return read;
}

export const plan = readPlan();

/**
 * All scripts demand that every check holds, that no answer is of the wrong kind, that no iteration is dropped (an open model
 * that falls behind measures nothing), and that each kind of request named in `requests` keeps its 95th percentile.
 */
export function optionsOf(scenarios: Record<string, Scenario>, requests: readonly string[], thresholds: Options['thresholds'] = {}): Options {
  return {
    scenarios,
    blacklistIPs: [...NOT_THIS_MACHINE],
    setupTimeout: '60s',
    teardownTimeout: '60s',
    summaryTrendStats: ['min', 'avg', 'med', 'p(90)', 'p(95)', 'p(99)', 'max', 'count'],
    thresholds: {
      checks: ['rate==1'],
      http_req_failed: ['rate==0'],
      dropped_iterations: ['count==0'],
      ...Object.fromEntries(requests.map((name) => [`http_req_duration{name:${name}}`, [`p(95)<${plan.p95Ms}`]])),
      ...thresholds,
    },
  };
}

/** There are enough VUs for answers of two seconds from the start, and of five seconds when it gets worse. */
export const vusFor = (perSecond: number) => ({
  preAllocatedVUs: Math.min(400, Math.max(10, perSecond * 2)),
  maxVUs: Math.min(1_000, Math.max(50, perSecond * 5)),
  gracefulStop: '15s',
});

/** Open model: `count` people arrive evenly over `seconds`, however slow the answers get. */
export const arrivals = (exec: string, count: number, seconds: number): Scenario => ({
  executor: 'constant-arrival-rate',
  exec,
  rate: count,
  timeUnit: `${seconds}s`,
  duration: `${seconds}s`,
  ...vusFor(Math.ceil(count / seconds)),
});

interface Call {
  /** Name under which the figures group this request. */
  readonly name: string;
  readonly body?: object | string;
  readonly headers?: Record<string, string>;
}

/** One call of the API with the run's key. It has no Idempotency-Key, since the scripts repeat no request. */
export function api(method: 'GET' | 'POST', path: string, { name, body, headers = {} }: Call): Answered {
  return http.request(method, `${plan.site}/v1${path}`, body === undefined || typeof body === 'string' ? (body ?? null) : JSON.stringify(body), {
    headers: { Authorization: `Bearer ${plan.apiKey}`, ...(typeof body === 'object' ? { 'Content-Type': 'application/json' } : {}), ...headers },
    tags: { name },
    timeout: '30s',
  });
}

/** The body as text; '' where there is none. */
export const textOf = ({ body }: Answered): string => (typeof body === 'string' ? body : '');

/** The message of an answer; an answer without one is written to the log. */
export function viewOf(answer: Answered): MessageView | undefined {
  if (answer.status >= 200 && answer.status < 300) return answer.json() as unknown as MessageView;
  console.warn(`${answer.request.method} ${answer.request.url} was answered ${answer.status}: ${textOf(answer).slice(0, 300)}`);
  return undefined;
}

/** A life message must say until when it holds. */
export const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();

const sum = (counts: MessageView['deliveries']): number => Object.values(counts).reduce((a, b) => a + b, 0);

/** Everybody has one delivery on each channel asked for, and all of them were handed over. */
export const allReached = (view: MessageView, expected: number): boolean =>
  sum(view.deliveries) === expected && view.deliveries.accepted + view.deliveries.delivered === expected;

/** Headers of a phone that asks for a page; every number is another browser. */
export const browserHeaders = (number: number): Record<string, string> => ({
  'User-Agent': `Mozilla/5.0 (Linux; Android 15; Build ${plan.run}-${number}) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36`,
  Accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
  'Accept-Language': 'en',
});

/** Number of this iteration in its scenario, from 0. */
export const turn = (): number => exec.scenario.iterationInTest;
