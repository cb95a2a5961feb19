import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { MUTANTS } from './mutants.ts';

const read = (file: string): string => readFileSync(resolve(import.meta.dirname, '../../..', file), 'utf8');

const TABLES = [
  [/while the \w+ is stopped/, 'while the %s is stopped'],
  [/marked for \w+ and/, 'marked for %s and'],
  [/a stop of the \w+ is seen/, 'a stop of %s is seen'],
  [/that is \w+ while/, 'that is %s while'],
] as const;

test.each(MUTANTS.map((mutant) => [mutant.removed, mutant] as const))('a guard that was rewritten is rewritten in the table, too: %s', (_name, mutant) => {
  for (const { file, from, times = 1 } of mutant.changes) expect(read(file).split(from).length - 1, `${from}\nin ${file}`).toBe(times);
  // The test's name must stand in the file word for word, or in one of these forms of a table.
  const told = [mutant.test.name, ...TABLES.map(([name, table]) => mutant.test.name.replace(name, table))];
  expect(told.filter((name) => read(mutant.test.file).includes(name))).not.toEqual([]);
});
