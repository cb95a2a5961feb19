import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';

const script = fileURLToPath(new URL('../faults/main.ts', import.meta.url));

/** The runner has servers, processes and signals of its own, so it runs as `npm run faults -- --short` would. */
test.each([{ queue: 'postgres', rows: ['postgres-crash', 'stop'] }, ...(inject('redisUrl') ? [{ queue: 'redis', rows: ['redis-kill'] }] : [])])(
  'faults in short, on $queue: $rows',
  ({ queue, rows }) => {
    const folder = mkdtempSync(join(tmpdir(), 'muster-short-faults-'));
    const json = join(folder, 'faults.json');
    const run = spawnSync(process.execPath, [script, '--short', '--queue', queue, '--json', json, ...rows.flatMap((row) => ['--only', row])], {
      encoding: 'utf8',
      timeout: 110_000,
    });
    expect(run.status, `${run.stdout}\n${run.stderr}`).toBe(0);
    const shown = (JSON.parse(readFileSync(json, 'utf8')) as { rows: { name: string; lost: number; doubled: number; broken: string[] }[] }).rows;
    expect(shown.map(({ name, lost, doubled, broken }) => ({ name, lost, doubled, broken }))).toEqual(
      rows.map((name) => ({ name, lost: 0, doubled: 0, broken: [] })),
    );
    rmSync(folder, { recursive: true, force: true });
  },
);

test('three guards taken away, each noticed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-short-faults-'));
  const run = spawnSync(process.execPath, [script, '--mutants', '--short', '--json', join(folder, 'mutants.json')], { encoding: 'utf8', timeout: 110_000 });
  rmSync(folder, { recursive: true, force: true });
  expect(run.status, `${run.stdout}\n${run.stderr}`).toBe(0);
  expect(run.stdout).toContain('3 of 3 caught');
});
