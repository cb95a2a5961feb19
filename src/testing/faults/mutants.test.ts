import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { MUTANTS } from './mutants.ts';

const read = (file: string): string => readFileSync(resolve(import.meta.dirname, '../../..', file), 'utf8');

test.each(MUTANTS.map((mutant) => [mutant.removed, mutant] as const))('a guard that was rewritten is rewritten in the table, too: %s', (_name, mutant) => {
  for (const { file, from, times = 1 } of mutant.changes) expect(read(file).split(from).length - 1, `${from}\nin ${file}`).toBe(times);
  const names = mutant.test.name.replace(/while the \w+ is stopped/, 'while the %s is stopped');
  expect(read(mutant.test.file)).toContain(names);
});
