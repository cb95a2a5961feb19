import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlockList } from 'node:net';
import { afterAll, expect, test } from 'vitest';
import { runningInstallation } from './installation.ts';
import { isLoopbackUrl, NOT_THIS_MACHINE } from './loopback.ts';
import { fictionalPhones } from './people.ts';
import { LOAD_NAMES, type LoadPlan, settingsOf } from './plan.ts';
import { reportHtml, type Result } from './report.ts';
import { emptinessOf, summaryOf } from './summary-of.ts';
import { summaryText } from './summary-text.ts';

const folder = mkdtempSync(join(tmpdir(), 'muster-load-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(['http://127.0.0.1:8080', 'http://127.3.2.1/v1', 'https://[::1]:8443', 'http://localhost', 'http://LOCALHOST:1/x?y#z'])(
  '%s is this machine',
  (url) => {
    expect(isLoopbackUrl(url)).toBe(true);
  },
);

test.each([
  'http://192.168.0.1',
  'http://10.0.0.1:8080',
  'http://example.org',
  'http://127.0.0.1.example.org',
  'http://localhost.example.org',
  'http://127.0.0.1@example.org',
  'http://example.org#127.0.0.1',
  'http://0.0.0.0:8080',
  'http://[::ffff:10.0.0.1]',
  'http://127.1',
  'ftp://127.0.0.1',
  '127.0.0.1:8080',
  '',
])('%s is not', (url) => {
  expect(isLoopbackUrl(url)).toBe(false);
});

test('what k6 never calls is everything but loopback', () => {
  const never = new BlockList();
  for (const range of NOT_THIS_MACHINE) {
    const [net = '', bits] = range.split('/');
    never.addSubnet(net, Number(bits), net.includes(':') ? 'ipv6' : 'ipv4');
  }
  for (let first = 0; first < 256; first++) for (const rest of ['0.0.0', '0.0.1', '255.255.255']) expect(never.check(`${first}.${rest}`)).toBe(first !== 127);
  expect(never.check('::1', 'ipv6')).toBe(false);
  expect(never.check('2001:db8::1', 'ipv6')).toBe(true);
});

const ready = (change: object): string => {
  const fine = { console: 'http://127.0.0.1:8080', api: 'http://127.0.0.1:8080/v1', apiKey: 'mu_test_x', simulator: 'http://127.0.0.1:8090' };
  writeFileSync(join(folder, 'ready.json'), JSON.stringify({ ...fine, ...change }));
  return folder;
};

test('takes the running installation, and no other machine, no live key', () => {
  expect(runningInstallation(ready({}))).toMatchObject({ site: 'http://127.0.0.1:8080', apiKey: 'mu_test_x', own: false });
  expect(() => runningInstallation(ready({ console: 'https://muster.example.org' }))).toThrow('not on this machine');
  expect(() => runningInstallation(ready({ simulator: 'http://192.168.1.2:8090' }))).toThrow('not on this machine');
  expect(() => runningInstallation(ready({ apiKey: 'mu_live_x' }))).toThrow('test keys');
  expect(() => runningInstallation(join(folder, 'none'))).toThrow('npm run up');
});

test.each(LOAD_NAMES)('%s has settings within bounds, which the environment changes and cannot break', (name) => {
  expect(settingsOf(name, true, {}).seconds).toBeLessThanOrEqual(20);
  expect(settingsOf(name, false, { LOAD_PEOPLE: '123', LOAD_P95_MS: '50', LOAD_RATE: '' })).toMatchObject({ people: 123, p95Ms: 50 });
  for (const wrong of ['0', '30001', '1e3', '-5', 'many']) expect(() => settingsOf(name, false, { LOAD_PEOPLE: wrong })).toThrow('LOAD_PEOPLE');
});

test('numbers are kept for fiction, differ, and run out aloud', () => {
  const phones = fictionalPhones(30_000);
  expect(new Set(phones).size).toBe(30_000);
  for (const phone of phones) expect(phone).toMatch(/^\+1[2-9]\d{2}55501\d{2}$/);
  expect(() => fictionalPhones(1_000_000)).toThrow('kept for fiction');
});

const plan = { ...settingsOf('fan-out', true, {}), name: 'fan-out', run: 'abcd', quick: true } as LoadPlan;
const values = { count: 4, min: 1, avg: 2, med: 2, 'p(90)': 3, 'p(95)': 3.5, 'p(99)': 4, max: 5 };
const data = {
  state: { testRunDurationMs: 3_000 },
  root_group: { checks: [{ name: 'launched', passes: 3, fails: 1 }], groups: [] },
  metrics: {
    http_reqs: { type: 'counter', values: { count: 25, rate: 8 } },
    http_req_duration: { type: 'trend', values },
    'http_req_duration{name:launch}': { type: 'trend', values, thresholds: { 'p(95)<10': { ok: true } } },
    'http_req_duration{name:poll}': { type: 'trend', values: {}, thresholds: { 'p(95)<10': { ok: true } } },
    dropped_iterations: { type: 'counter', values: { count: 2 }, thresholds: { 'count==0': { ok: false } } },
    fan_out_ms: { type: 'trend', values },
    deliveries_per_second: { type: 'trend', values },
  },
};

test('a summary keeps what people read, and says what was never tried', () => {
  const summary = summaryOf(plan, data);
  expect(summary).toMatchObject({ seconds: 3, counters: { dropped_iterations: 2, http_requests: 25 }, checks: [{ name: 'launched', passes: 3, fails: 1 }] });
  expect(summary.requests['launch']).toEqual({ count: 4, min: 1, med: 2, p90: 3, p95: 3.5, p99: 4, max: 5 });
  expect(Object.keys(summary.trends)).toEqual(['deliveries_per_second', 'fan_out_ms']);
  expect(summary.thresholds).toContainEqual({ metric: 'dropped_iterations', rule: 'count==0', ok: false });
  expect(emptinessOf(summary)).toEqual(['no request of the kind "poll" was made']);
  expect(emptinessOf(summaryOf(plan, {}))).toEqual(['no check was made', 'no threshold was looked at']);
  expect(summaryText(summary)).toContain('FAIL launched (3 of 4)');
  expect(summaryText(summary)).toContain('FAIL dropped_iterations count==0');
});

test('the report is one page that shows the course, and text stays text', () => {
  const machine = { cores: 2, cpu: 'A <b>CPU</b>', memoryGb: 8, node: 'v24', k6: 'k6 v2' };
  const samples = [1, 2, 3].map((at) => ({ at, requestsPerSecond: at * 10, meanMs: 5, vus: 3 }));
  const result: Result = { ...summaryOf(plan, data), startedAt: '2026-01-01T00:00:00Z', ok: false, problems: ['2 < 3 & more'], samples, machine };
  const html = reportHtml(result);
  expect(html).toContain('2 &#60; 3 &#38; more');
  expect(html).not.toContain('<b>CPU');
  expect(html).not.toMatch(/<script|src=|href=/);
  expect(html.match(/<polyline/g)).toHaveLength(3);
  const [times, rates] = html.split('<table>').slice(1);
  expect(times).toMatch(/<th>ms<.*<td>launch<.*<td>fan out</s);
  expect(times).not.toContain('deliveries');
  expect(rates).toMatch(/<th>a second<.*<td>deliveries</s);
});

const run = (args: string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, ['load-tests/run.ts', ...args], { encoding: 'utf8', env: { PATH: process.env['PATH'], ...env } });

test('without a name it tells the names; an unknown one is refused', () => {
  expect(run([])).toMatchObject({ status: 64, stdout: expect.stringContaining('acknowledge-storm') });
  expect(run(['--help'])).toMatchObject({ status: 0, stdout: expect.stringContaining('LOAD_PEOPLE') });
  expect(run(['everything'])).toMatchObject({ status: 1, stderr: expect.stringContaining('there is no load test "everything"') });
});

test('where neither k6 nor Go is, one plain sentence says what to install', () => {
  const found = spawnSync(process.execPath, ['load-tests/install-k6.mjs'], { encoding: 'utf8', env: { PATH: folder, HOME: folder } });
  expect(found.status).toBe(1);
  expect(found.stdout).toBe('');
  expect(found.stderr).toMatch(/^No k6 v2 here: there is no Go to build it with\. Install k6 v2 .* then repeat\.\n$/);
});
