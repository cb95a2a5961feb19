import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';
import type { Result } from './row.ts';

export interface RowLine extends Result {
  readonly name: string;
  readonly queue: 'postgres' | 'redis';
  readonly seconds: number;
  /** When the row began, as ISO 8601. */
  readonly at: string;
  /** Load of the machine over the last minute when the row began. */
  readonly load1: number;
}

export interface Report {
  readonly seed: number;
  readonly short: boolean;
  /** Commit of the sources, with a plus sign where files had been changed since; null outside of a checkout. */
  readonly commit: string | null;
  readonly machine: Machine;
  readonly rows: readonly RowLine[];
}

export interface Machine {
  readonly cpus: number;
  readonly model: string;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  readonly postgres: string;
  readonly redis: string;
}

const said = (command: string, ...args: string[]): string => {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : '';
};

export function machineFacts(postgres: string): Machine {
  const all = cpus();
  return {
    cpus: all.length,
    model: all[0]?.model.trim() ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version.slice(1),
    postgres,
    redis: /v=(\S+)/.exec(said('redis-server', '--version'))?.[1] ?? 'none',
  };
}

export function commitOf(folder: string): string | null {
  const hash = said('git', '-C', folder, 'rev-parse', '--short', 'HEAD');
  const changed = said('git', '-C', folder, 'status', '--porcelain', '--untracked-files=no');
  return hash === '' ? null : `${hash}${changed === '' ? '' : '+'}`;
}
