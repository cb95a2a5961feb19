import type { HttpCarrier } from './carriers/http-carrier.ts';
import type { MailCarrier } from './carriers/mail-carrier.ts';
import type { Options, Sizes } from './options.ts';
import type { BenchPostgres } from './postgres.ts';
import type { BenchRedis } from './redis.ts';
import { startSystem, type System } from './system.ts';

/** What every figure is measured with. */
export interface Bench {
  readonly options: Options;
  readonly sizes: Sizes;
  readonly folder: string;
  readonly postgres: BenchPostgres;
  readonly redis: BenchRedis | undefined;
  readonly http: HttpCarrier;
  readonly mail: MailCarrier;
  /** One line of progress. */
  say(line: string): void;
  /** Something that a reader of the result must know. */
  note(line: string): void;
  /** Throws when the time allowed is over, so that what was measured so far is still reported. */
  checkTime(): void;
  /** What is left of the time allowed, in milliseconds. */
  msLeft(): number;
}

export class OutOfTime extends Error {
  constructor() {
    super('not measured: the time allowed was over');
  }
}

export const pushUrlOf = ({ http }: Bench): string => http.tls?.url ?? http.url;

/** Starts Muster with the carriers of this run, and with its queue on Redis where Redis is installed. */
export function startMuster(bench: Bench, options: { queue?: 'redis' | 'postgres'; smsUrl?: string; workers?: number } = {}): Promise<System> {
  return startSystem({
    postgres: bench.postgres,
    folder: bench.folder,
    redisUrl: options.queue === 'postgres' ? undefined : bench.redis?.url,
    smsUrl: options.smsUrl ?? bench.http.url,
    mailPort: bench.mail.port,
    pushUrl: pushUrlOf(bench),
    certificate: bench.http.tls?.certificate,
    profile: bench.options.profile,
    ...(options.workers === undefined ? {} : { workers: options.workers }),
  });
}
