import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from '#platform/free-port.ts';
import { Up } from '#testing/up.ts';
import { isLoopbackUrl } from './loopback.ts';

/** Where the load goes. */
export interface Installation {
  /** Base address without a slash at the end. */
  readonly site: string;
  readonly apiKey: string;
  readonly simulator: string;
  /** True when nobody else uses the installation, so that every call of the carriers is ours. */
  readonly own: boolean;
  /** Ends what was started for this run; an installation that ran before goes on. */
  close(): Promise<void>;
}

interface Ready {
  readonly console: string;
  readonly apiKey: string;
  readonly simulator: string;
}

/** Refuses addresses of other machines, and keys that could reach real carriers. */
function checked(ready: Partial<Ready>): Ready {
  const { console: site, apiKey, simulator } = ready;
  if (typeof site !== 'string' || typeof apiKey !== 'string' || typeof simulator !== 'string')
    throw new Error('ready.json does not name console, apiKey and simulator: start the installation again with npm run up');
  for (const url of [site, simulator])
    if (!isLoopbackUrl(url)) throw new Error(`${url} is not on this machine: load tests go to loopback (127.0.0.0/8, ::1, localhost) alone`);
  // With a test key Muster reaches simulated senders alone, whatever the installation is set up with.
  if (!apiKey.startsWith('mu_test_'))
    throw new Error('the API key is a live one: load tests take test keys (mu_test_…) alone, which reach simulated carriers only');
  return { console: site.replace(/\/+$/, ''), apiKey, simulator: simulator.replace(/\/+$/, '') };
}

/** The installation that `npm run up` keeps in the data folder. */
export function runningInstallation(dataFolder: string): Installation {
  const file = join(resolve(dataFolder), 'ready.json');
  if (!existsSync(file)) throw new Error(`there is no ${file}: start an installation with npm run up, or let this one start its own with --start`);
  const ready = checked(JSON.parse(readFileSync(file, 'utf8')) as Partial<Ready>);
  return { site: ready.console, apiKey: ready.apiKey, simulator: ready.simulator, own: false, close: () => Promise.resolve() };
}

/**
 * Starts `npm run up` on free ports with a folder of its own, which is removed afterwards. Its queue is on Redis only where
 * `redisUrl` names one.
 */
export async function startInstallation(redisUrl: string | undefined): Promise<Installation> {
  const folder = mkdtempSync(join(tmpdir(), 'muster-load-'));
  // When we are root, the database runs as another user, who must be able to enter the folder.
  chmodSync(folder, 0o755);
  const extra = { LOG_LEVEL: 'warn', ...(redisUrl ? { REDIS_URL: redisUrl } : {}) };
  // Ctrl-C must reach this process alone, which ends k6 first.
  const up = new Up(folder, await freePort(), await freePort(), extra, { ownGroup: true });
  const close = async (): Promise<void> => {
    await up.end('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await up.ready();
    return { ...runningInstallation(folder), own: true, close };
  } catch (error) {
    await close();
    throw error;
  }
}
