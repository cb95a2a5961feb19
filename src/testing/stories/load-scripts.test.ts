import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const NAMES = ['fan-out', 'acknowledge-storm', 'share-burst', 'mixed-day', 'api-abuse'];

const k6 = spawnSync(process.execPath, ['load-tests/install-k6.mjs', '--find'], { cwd: root, encoding: 'utf8' });
if (k6.status !== 0) console.warn(`SKIPPED ALOUD: the k6 load tests. ${k6.stderr.trim()}`);

interface Result {
  ok: boolean;
  quick: boolean;
  problems: string[];
  checks: { name: string; passes: number; fails: number }[];
  thresholds: { metric: string; rule: string; ok: boolean }[];
  requests: Record<string, { count: number }>;
}

/** Each load test runs for a few seconds against an installation that the runner starts; nothing is said about speed. */
describe.runIf(k6.status === 0)('the load tests', () => {
  let out = '';
  let output = '';
  let code: number | null = null;
  const resultOf = (name: string, extension: string): string => {
    const file = readdirSync(out).find((entry) => entry.startsWith(`${name}-2`) && entry.endsWith(extension));
    if (file === undefined) throw new Error(`${name} left no ${extension}:\n${output.slice(-3_000)}`);
    return readFileSync(join(out, file), 'utf8');
  };

  beforeAll(async () => {
    out = mkdtempSync(join(tmpdir(), 'muster-load-out-'));
    const child = spawn(process.execPath, ['load-tests/run.ts', 'all', '--quick', '--start', '--out', out], {
      cwd: root,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    // The runner ends in order what it started, its own database too.
    const tooLong = setTimeout(() => child.kill('SIGTERM'), 270_000);
    code = await new Promise((done) => child.once('close', done));
    clearTimeout(tooLong);
  }, 300_000);
  afterAll(() => rmSync(out, { recursive: true, force: true }));

  test.each(NAMES)('%s asks, checks, and everything adds up', (name) => {
    const result = JSON.parse(resultOf(name, '.json')) as Result;
    expect(result.problems, output.slice(-5_000)).toEqual([]);
    expect(result).toMatchObject({ ok: true, quick: true });
    expect(result.checks.filter(({ fails, passes }) => fails > 0 || passes === 0)).toEqual([]);
    expect(result.thresholds).toContainEqual({ metric: 'dropped_iterations', rule: 'count==0', ok: true });
    expect(Math.min(...Object.values(result.requests).map(({ count }) => count))).toBeGreaterThan(0);
    expect(resultOf(name, '.html')).toContain('<svg');
  });

  test('the runner ends well and tells each result', () => {
    expect(code, output.slice(-5_000)).toBe(0);
    expect(output.match(/^PASSED /gm)).toHaveLength(NAMES.length);
  });
});
