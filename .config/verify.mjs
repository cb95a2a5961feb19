// `npm run verify`: every fast check at once, the output of those that failed, one line each at the end.
// With --no-tests the unit tests are left out (CI runs them with the rest).
import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH ?? ''}` };

const CHECKS = {
  format: 'biome format --config-path=.biome.json .',
  lint: 'oxlint',
  types: 'tsc',
  'unused code': 'knip --config .knip.json --no-progress',
  'unit tests': 'vitest run --config .config/vitest.config.ts --project unit',
};

const run = ([name, command]) =>
  new Promise((done) => {
    const start = performance.now();
    const child = spawn(command, { cwd: root, env, shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => (output += error.message));
    child.on('close', (code) => done({ name, output, ok: code === 0, seconds: (performance.now() - start) / 1000 }));
  });

const wanted = Object.entries(CHECKS).filter(([name]) => !(process.argv.includes('--no-tests') && name === 'unit tests'));
const results = await Promise.all(wanted.map(run));
for (const { name, output, ok } of results) if (!ok) console.log(`--- ${name} ---\n${output}`);
for (const { name, ok, seconds } of results) console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds.toFixed(1)} s)`);
process.exitCode = results.every((result) => result.ok) ? 0 : 1;
