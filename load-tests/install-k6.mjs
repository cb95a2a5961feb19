// This is plain JavaScript that an old Node runs too, so that CI can start it before anything is installed.
//   node load-tests/install-k6.mjs           finds k6 v2 or builds it; prints its path
//   node load-tests/install-k6.mjs --find    finds it only
// It ends with 1 and one plain sentence when there is none.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The newest version whose source the Go module proxy serves to everybody; raise it together with @types/k6. */
const VERSION = 'v2.2.0';
const MODULE = 'go.k6.io/k6/v2';
/** The version of Go that k6 v2's own go.mod asks for. */
const GO_MINOR = 25;
/** Building takes 2.5 minutes on two cores, and a machine that swaps must come to an end too. */
const BUILD_TIMEOUT_MS = 20 * 60_000;

const program = process.platform === 'win32' ? 'k6.exe' : 'k6';
const goEnv = (name) => (spawnSync('go', ['env', name], { encoding: 'utf8' }).stdout ?? '').trim();
const isWanted = (path) => /^k6(\.exe)? v2\./.test((spawnSync(path, ['version'], { encoding: 'utf8' }).stdout ?? '').trim());

const home = process.env.HOME ?? process.env.USERPROFILE ?? '';
const goFolder = () => goEnv('GOBIN') || join((goEnv('GOPATH') || join(home, 'go')).split(delimiter)[0], 'bin');

function find() {
  const folders = [...(process.env.PATH ?? '').split(delimiter), goFolder()].filter(Boolean);
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path) && isWanted(path));
}

/**
 * Builds the pinned version from the module proxy. `go install` would also ask for the list of all versions, which a proxy
 * that holds single versions does not have. Building the module in its own folder takes the versions that k6's go.sum names.
 */
function build() {
  const version = /^go1\.(\d+)/.exec(goEnv('GOVERSION'));
  if (!version || Number(version[1]) < GO_MINOR)
    throw new Error(version ? `Go 1.${GO_MINOR} is needed to build it, and this is ${version[0]}` : 'there is no Go to build it with');
  const env = { ...process.env, GOFLAGS: '', GOWORK: 'off' };
  const go = (args, stdout) => {
    const done = spawnSync('go', args, { env, encoding: 'utf8', stdio: ['ignore', stdout, 'inherit'], timeout: BUILD_TIMEOUT_MS });
    if (done.status !== 0) throw new Error(`"go ${args.join(' ')}" failed (${done.error?.message ?? `code ${done.status ?? done.signal}`})`);
    return done.stdout;
  };
  process.stderr.write(`Building k6 ${VERSION} with Go, once: about three minutes on two cores …\n`);
  const { Dir: source } = JSON.parse(go(['mod', 'download', '-json', `${MODULE}@${VERSION}`], 'pipe'));
  const folder = goFolder();
  mkdirSync(folder, { recursive: true });
  const path = join(folder, program);
  // The file is renamed when it is whole, since another process may be looking for it meanwhile.
  const half = `${path}.${process.pid}`;
  go(['-C', source, 'build', '-buildvcs=false', '-trimpath', '-o', half, '.'], 'ignore');
  renameSync(half, path);
  if (!isWanted(path)) throw new Error(`${path} was built and does not run`);
  return path;
}

try {
  const path = find() ?? (process.argv.includes('--find') ? undefined : build());
  if (!path) throw new Error('it is not on the PATH and not in the folder of Go programs');
  process.stdout.write(`${path}\n`);
} catch (error) {
  process.stderr.write(
    `No k6 v2 here: ${error.message}. Install k6 v2 (https://grafana.com/docs/k6/latest/set-up/install-k6/) or Go 1.${GO_MINOR}, then repeat.\n`,
  );
  process.exitCode = 1;
}
