// This is plain JavaScript that an old Node runs too: it brings Node 24 and everything else through npm, then hands over to it.
//   node src/setup.mjs <script.ts> [arguments]     node src/setup.mjs --run <npm script>
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const stamp = join(modules, '.muster-installed');
const lock = join(root, 'package-lock.json');
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const ownIsNew = major > 24 || (major === 24 && minor >= 7);
const brought = join(modules, '.bin', 'node');
/** The Node that npm brought; on machines that it brings none for, our own Node where it is new enough. */
const node = () => (existsSync(brought) ? brought : ownIsNew ? process.execPath : undefined);

if (major < 20) {
  process.stderr.write(`Node 20 or later is needed to install (this is ${process.version}).\n`);
  process.exit(1);
}

const wanted = createHash('sha256').update(readFileSync(lock)).digest('hex');

function installed() {
  if (!existsSync(modules) || !node()) return false;
  if (existsSync(stamp)) return readFileSync(stamp, 'utf8') === wanted;
  // Somebody has installed by hand when npm's own record is as new as the lock file.
  const record = join(modules, '.package-lock.json');
  return existsSync(record) && statSync(record).mtimeMs >= statSync(lock).mtimeMs;
}

if (!installed()) {
  process.stderr.write('Installing what is missing (about a minute) …\n');
  // Scripts of packages are not run, since nothing here needs one.
  const npm = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: ['inherit', 2, 'inherit'] });
  if (npm.status !== 0) {
    process.stderr.write(`npm ci failed${npm.error ? `: ${npm.error.message}` : ''}\n`);
    process.exit(npm.status || 1);
  }
}
if (!node()) {
  process.stderr.write(`npm has no Node 24 for ${process.platform}-${process.arch}: install Node 24.7 or later yourself and repeat.\n`);
  process.exit(1);
}
writeFileSync(stamp, wanted);

const [first, ...rest] = process.argv.slice(2);
const env = { ...process.env, PATH: `${join(modules, '.bin')}:${process.env.PATH}` };
const child =
  first === '--run'
    ? spawn('npm', ['run', '--silent', ...rest], { cwd: root, stdio: 'inherit', env })
    : spawn(node(), [join(root, first), ...rest], { cwd: root, stdio: 'inherit', env });
// Ctrl-C reaches the child by itself, and a signal to this process alone is passed on. This process ends when the child has
// ended.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
process.on('SIGHUP', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
