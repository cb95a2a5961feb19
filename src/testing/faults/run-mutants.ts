import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { endChild, exited } from '#testing/child.ts';
import { endsWithRunner } from './leftovers.ts';
import type { Mutant } from './mutant.ts';
import { MUTANTS } from './mutants.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const COPIED = ['src', 'workers', 'schemas', '.config', 'package.json', 'tsconfig.json'];

interface Told {
  readonly testResults: readonly { readonly assertionResults: readonly { title: string; status: string; failureMessages: readonly string[] }[] }[];
}

interface Judged {
  readonly passed: readonly string[];
  readonly failed: readonly { readonly title: string; readonly message: string }[];
}

export interface MutantLine {
  readonly guard: string;
  readonly removed: string;
  readonly caughtBy: string;
  readonly how: string;
  readonly seconds: number;
  readonly caught: boolean;
}

/** A copy of the sources in a folder of its own, so that nobody's checkout is ever changed. */
class Copy {
  readonly folder = mkdtempSync(join(tmpdir(), 'muster-mutants-'));
  readonly #forget: () => void;
  #running: ChildProcess | undefined;

  constructor() {
    // The database's own user must be able to enter the folder.
    chmodSync(this.folder, 0o755);
    for (const name of COPIED) cpSync(join(ROOT, name), join(this.folder, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(this.folder, 'node_modules'));
    this.#forget = endsWithRunner(() => this.close());
  }

  /** @returns puts the files back */
  apply(mutant: Mutant): () => void {
    const before = new Map<string, string>();
    for (const { file, from, to, times = 1 } of mutant.changes) {
      const path = join(this.folder, file);
      const text = readFileSync(path, 'utf8');
      const found = text.split(from).length - 1;
      if (found !== times) throw new Error(`${mutant.removed}: found ${found} times, not ${times}, in ${file}: ${from}`);
      if (!before.has(path)) before.set(path, text);
      writeFileSync(
        path,
        text.replaceAll(from, () => to),
      );
    }
    return () => {
      for (const [path, text] of before) writeFileSync(path, text);
    };
  }

  async test(files: readonly string[], name?: string): Promise<Judged> {
    const report = join(this.folder, 'report.json');
    rmSync(report, { force: true });
    const only = name === undefined ? [] : ['-t', name.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)];
    const output: string[] = [];
    const child = spawn(
      process.execPath,
      [
        'node_modules/vitest/vitest.mjs',
        ...['run', '--config', '.config/vitest.config.ts', '--project', 'db', '--retry', '0', '--reporter', 'json', '--outputFile', report],
        ...only,
        ...files,
      ],
      { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#running = child;
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    await exited(child);
    this.#running = undefined;
    if (!existsSync(report)) throw new Error(`the tests did not run:\n${output.join('').slice(-2_000)}`);
    const told = JSON.parse(readFileSync(report, 'utf8')) as Told;
    const tests = told.testResults.flatMap((file) => file.assertionResults);
    return {
      passed: tests.filter((test) => test.status === 'passed').map((test) => test.title),
      failed: tests.filter((test) => test.status === 'failed').map((test) => ({ title: test.title, message: test.failureMessages[0] ?? '' })),
    };
  }

  async close(): Promise<void> {
    // Vitest ends its own Postgres in its teardown.
    if (this.#running) await endChild(this.#running, { signal: 'SIGINT', killAfterMs: 60_000 });
    rmSync(this.folder, { recursive: true, force: true });
    this.#forget();
  }
}

/** Failures that prove nothing about the guard, since a statement no longer parses. */
const BROKEN = /syntax error|does not exist|no unique or exclusion constraint|could not determine data type|is not a function|Cannot find/;

async function runOne(copy: Copy, mutant: Mutant): Promise<MutantLine> {
  const started = performance.now();
  const restore = copy.apply(mutant);
  const { failed, passed } = await copy.test([mutant.test.file], mutant.test.name).finally(restore);
  const failure = failed.find(({ title }) => title === mutant.test.name);
  const how = failure === undefined ? (passed.length > 0 ? 'the test passed' : 'the test did not run') : (failure.message.split('\n', 1)[0] ?? '');
  return {
    guard: mutant.guard,
    removed: mutant.removed,
    caughtBy: mutant.test.name,
    how,
    seconds: (performance.now() - started) / 1000,
    caught: failure !== undefined && !BROKEN.test(failure.message),
  };
}

/**
 * Takes each guard away in a copy of the sources and runs the one test that must notice. The control comes first: each of
 * those tests must pass with all guards in place.
 */
export async function runMutants(options: {
  short: boolean;
  /** Guards to take away; all of them where this is undefined. */
  only: readonly string[] | undefined;
  say: (line: string) => void;
}): Promise<{ lines: MutantLine[]; controlSeconds: number }> {
  const mutants = MUTANTS.filter((mutant) => (!options.short || mutant.short === true) && (options.only?.includes(mutant.guard) ?? true));
  const copy = new Copy();
  try {
    const started = performance.now();
    const control = await copy.test([...new Set(mutants.map((mutant) => mutant.test.file))]);
    const missing = mutants.filter((mutant) => !control.passed.includes(mutant.test.name)).map((mutant) => mutant.test.name);
    if (missing.length > 0 || control.failed.length > 0)
      throw new Error(
        `the control fails: ${JSON.stringify([...missing, ...control.failed.map(({ title, message }) => `${title}: ${message.slice(0, 300)}`)])}`,
      );
    const controlSeconds = (performance.now() - started) / 1000;
    options.say(`control: ${control.passed.length} tests pass with every guard in place (${controlSeconds.toFixed(0)} s)`);
    const lines: MutantLine[] = [];
    for (const mutant of mutants) {
      const line = await runOne(copy, mutant);
      lines.push(line);
      options.say(
        `${line.caught ? 'caught ' : 'ESCAPED'} ${line.guard.padEnd(13)} without ${line.removed.padEnd(58)} ${line.seconds.toFixed(1).padStart(5)} s  ${line.how.slice(0, 120)}`,
      );
    }
    return { lines, controlSeconds };
  } finally {
    await copy.close();
  }
}
