import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'muster-ci-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface TestFile {
  name: string;
  status: string;
  assertionResults: { status: string; fullName: string }[];
}

let runs = 0;
function count(files: TestFile[] | undefined, checks: string, testsExit = 0, checksExit = 0): { last: string | undefined; code: number | null } {
  runs += 1;
  const report = join(folder, `report-${runs}.json`);
  const log = join(folder, `checks-${runs}.log`);
  if (files) writeFileSync(report, JSON.stringify({ testResults: files }));
  writeFileSync(log, checks);
  const result = spawnSync(process.execPath, ['.ci/count.mjs', report, log, String(testsExit), String(checksExit)], { encoding: 'utf8' });
  return { last: result.stdout.trim().split('\n').at(-1), code: result.status };
}

const CHECKS = 'ok   format (0.1 s)\nok   lint (1.0 s)\n';
const file = (...statuses: string[]): TestFile => ({
  name: 'x.test.ts',
  status: statuses.includes('failed') ? 'failed' : 'passed',
  assertionResults: statuses.map((status, i) => ({ status, fullName: `test ${i}` })),
});

test('all is well: tests and checks are counted together', () => {
  expect(count([file('passed', 'passed'), file('passed')], CHECKS)).toEqual({ last: '5 passed, 0 failed', code: 0 });
});

test('what was skipped is said', () => {
  expect(count([file('passed', 'skipped', 'pending')], CHECKS)).toEqual({ last: '3 passed, 0 failed, 2 skipped', code: 0 });
});

test.each<[string, TestFile[] | undefined, string, number, number]>([
  ['a failed test', [file('passed', 'failed')], CHECKS, 1, 0],
  ['a failed check', [file('passed')], `${CHECKS}FAIL types (2.0 s)\n`, 0, 1],
  ['a file that could not be loaded', [file('passed'), { ...file(), status: 'failed' }], CHECKS, 1, 0],
  ['no report at all', undefined, CHECKS, 0, 0],
  ['a run that was cut off', [file('passed')], CHECKS, 124, 0],
  ['checks that said nothing', [file('passed')], '', 0, 0],
  ['checks that ended badly without saying why', [file('passed')], CHECKS, 0, 1],
])('%s is a failure', (_, files, checks, testsExit, checksExit) => {
  const { last, code } = count(files, checks, testsExit, checksExit);
  expect(last).toMatch(/^\d+ passed, 1 failed$/);
  expect(code).toBe(1);
});

test('a run without a single test is no success', () => {
  expect(count([], CHECKS).code).toBe(1);
});
