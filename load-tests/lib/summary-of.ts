import type { LoadPlan, Settings } from './plan.ts';

export interface Figures {
  readonly count: number;
  readonly min: number;
  readonly med: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** What a run was and what came of it, as the JSON in load-tests/results/ has it. */
export interface Summary {
  readonly name: string;
  readonly run: string;
  readonly quick: boolean;
  readonly settings: Settings;
  readonly seconds: number;
  readonly checks: { readonly name: string; readonly passes: number; readonly fails: number }[];
  readonly thresholds: { readonly metric: string; readonly rule: string; readonly ok: boolean }[];
  /** Milliseconds by kind of request. */
  readonly requests: Record<string, Figures>;
  /** The script's own trends, in the unit that their names say. */
  readonly trends: Record<string, Figures>;
  readonly counters: Record<string, number>;
}

interface Metric {
  readonly type?: string;
  readonly values?: Record<string, number>;
  readonly thresholds?: Record<string, { ok?: boolean }>;
}

interface Group {
  readonly checks?: { name: string; passes: number; fails: number }[];
  readonly groups?: Group[];
}

const REQUEST = /^http_req_duration\{name:(.+)\}$/;
/** Metrics of k6's own; those that people read are in `requests`. */
const BUILT_IN = /^(http_req_|http_reqs|iteration_|vus|data_|group_|grpc_|ws_|browser_)/;

const figuresOf = ({ values = {} }: Metric): Figures => ({
  count: values['count'] ?? 0,
  min: values['min'] ?? 0,
  med: values['med'] ?? 0,
  p90: values['p(90)'] ?? 0,
  p95: values['p(95)'] ?? 0,
  p99: values['p(99)'] ?? 0,
  max: values['max'] ?? 0,
});

const checksOf = ({ checks = [], groups = [] }: Group): { name: string; passes: number; fails: number }[] => [
  ...checks.map(({ name, passes, fails }) => ({ name, passes, fails })),
  ...groups.flatMap(checksOf),
];

/**
 * Reads what k6 hands to handleSummary. Fields that another k6 leaves out become zero, and a run without checks does not
 * pass.
 */
export function summaryOf(plan: LoadPlan, data: unknown): Summary {
  const {
    metrics = {},
    root_group: root = {},
    state,
  } = data as { metrics?: Record<string, Metric>; root_group?: Group; state?: { testRunDurationMs?: number } };
  const all = Object.entries(metrics).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const own = all.filter(([name]) => !BUILT_IN.test(name) && !name.includes('{'));
  const { people, rate, seconds, campaigns, p95Ms } = plan;
  return {
    name: plan.name,
    run: plan.run,
    quick: plan.quick,
    settings: { people, rate, seconds, campaigns, p95Ms },
    seconds: (state?.testRunDurationMs ?? 0) / 1000,
    checks: checksOf(root),
    thresholds: all.flatMap(([metric, { thresholds = {} }]) => Object.entries(thresholds).map(([rule, { ok }]) => ({ metric, rule, ok: ok === true }))),
    requests: Object.fromEntries(
      all.flatMap(([name, metric]) => {
        const request = REQUEST.exec(name)?.[1];
        return request === undefined ? [] : [[request, figuresOf(metric)]];
      }),
    ),
    trends: Object.fromEntries(own.filter(([, { type }]) => type === 'trend').map(([name, metric]) => [name, figuresOf(metric)])),
    counters: Object.fromEntries([
      ...own.filter(([, { type }]) => type === 'counter').map(([name, { values }]) => [name, values?.['count'] ?? 0] as const),
      ['http_requests', metrics['http_reqs']?.values?.['count'] ?? 0] as const,
    ]),
  };
}

/** What is wrong with a run besides crossed thresholds, since k6 lets a script pass that asked and checked nothing. */
export function emptinessOf(summary: Summary): string[] {
  return [
    ...(summary.checks.some(({ passes }) => passes > 0) ? [] : ['no check was made']),
    ...(summary.thresholds.length > 0 ? [] : ['no threshold was looked at']),
    ...Object.entries(summary.requests).flatMap(([name, { count }]) => (count > 0 ? [] : [`no request of the kind "${name}" was made`])),
  ];
}
