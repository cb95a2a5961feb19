import { spawnSync } from 'node:child_process';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { ROOT } from './processes.ts';

/** What the figures depend on besides the code. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  readonly postgres: string;
  readonly postgresSettings: Readonly<Record<string, string>>;
  readonly redis: string | null;
  readonly smsAndPushCarrier: string;
  readonly mailCarrier: string;
  readonly commit: string | null;
  /** One-minute load before the first figure. Above a tenth of the cores something else was at work. */
  readonly loadBefore: number;
}

const git = (...args: string[]): string | null => {
  const { status, stdout } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
};

export function machineFacts(parts: Pick<Machine, 'postgres' | 'postgresSettings' | 'redis' | 'smsAndPushCarrier' | 'mailCarrier'>): Machine {
  const commit = git('rev-parse', '--short', 'HEAD');
  const changed = commit !== null && git('status', '--porcelain', '--', 'src', 'workers', 'schemas', 'load-tests/bench') !== '';
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    ...parts,
    commit: commit && (changed ? `${commit}, with changes` : commit),
    loadBefore: Number(loadavg()[0]?.toFixed(2)),
  };
}

/** The machine's name as file names have it: `amd-epyc-2`. */
export const machineName = (machine: Machine): string =>
  `${machine.cpu
    .toLowerCase()
    .replace(/\((r|tm)\)|processor|cpu|@.*$/g, ' ')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')}-${machine.cores}`;
